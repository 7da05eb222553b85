-- Of a batch: rows, distinct keys, and by column the rows that hold nothing: null; where a column can't
-- be null, '', 0 or [].
SELECT
    count() AS rows,
    uniqExact($key) AS keys,
    rows AS looked_at,
    [COLUMNS($columns) APPLY(x -> countIf(isNull(x) OR x = defaultValueOfArgumentType(x)))] AS missing
FROM $table
WHERE batch = {batch:String};
