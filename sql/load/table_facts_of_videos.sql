-- As table_facts; only videos that are ok must say anything.
SELECT
    count() AS rows,
    uniqExact($key) AS keys,
    countIf(status = 'ok') AS looked_at,
    [COLUMNS($columns) APPLY(
        x -> countIf(status = 'ok' AND (isNull(x) OR x = defaultValueOfArgumentType(x)))
    )] AS missing
FROM $table
WHERE batch = {batch:String};
