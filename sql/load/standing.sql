-- What the tables hold, batch by batch: from what it was loaded, and whether its rows are still
-- there. The rows are those of the partition's parts, so no row is read.
SELECT loaded.table, loaded.batch, loaded.fingerprint, loaded.rows = parts.held AS is_whole
FROM loaded_batches AS loaded
LEFT JOIN
(
    SELECT table, partition, sum(rows) AS held
    FROM system.parts
    WHERE active AND database = currentDatabase()
    GROUP BY table, partition
) AS parts ON parts.table = loaded.table AND parts.partition = loaded.batch
WHERE loaded.table IN {tables:Array(String)}
ORDER BY loaded.table, loaded.batch;
