-- Which files of sql/schema and sql/views have been applied.
CREATE TABLE IF NOT EXISTS migrations
(
    number UInt32 COMMENT 'number of the schema file; 0 for a view',
    name String COMMENT 'path of the file below sql/, without .sql',
    sha256 String COMMENT 'digest of the text that was applied, hex',
    applied_at DateTime64(6, 'UTC') DEFAULT now64(6) COMMENT 'when'
)
ENGINE = MergeTree
ORDER BY (number, name, applied_at)
COMMENT 'the schema and view files that were applied';
