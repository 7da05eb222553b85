"""From a batch's Parquet files to ClickHouse: loading, checks, what is loaded."""
