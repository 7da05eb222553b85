-- Which batches each table holds: the last word of the journal, where that word is "loaded".
CREATE OR REPLACE VIEW loaded_batches
COMMENT 'which batches each table holds'
AS SELECT
    table,
    batch,
    argMax(fingerprint, at) AS fingerprint,
    argMax(rows, at) AS rows,
    max(at) AS loaded_at
FROM batch_loads
GROUP BY table, batch
HAVING argMax(event, at) = 'loaded'
ORDER BY table, batch;
