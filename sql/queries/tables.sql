-- What tables are there, what is a row of each, and how large are they?
SELECT
    name AS table,
    comment AS a_row_is,
    total_rows AS rows,
    formatReadableSize(total_bytes) AS size
FROM system.tables
WHERE database = currentDatabase() AND NOT startsWith(name, 'staging_')
ORDER BY total_bytes DESC, name;
