-- The journal of loads. The view loaded_batches shows what it amounts to.
CREATE TABLE IF NOT EXISTS batch_loads
(
    table String COMMENT 'the table',
    batch String COMMENT 'the batch; empty for a library-wide table',
    event LowCardinality(String) COMMENT 'started, loaded or deleted',
    fingerprint String COMMENT 'what the rows were made from; empty unless loaded',
    rows UInt64 COMMENT 'rows loaded',
    at DateTime64(6, 'UTC') DEFAULT now64(6) COMMENT 'when'
)
ENGINE = MergeTree
ORDER BY (table, batch, at)
COMMENT 'the journal of loads';
