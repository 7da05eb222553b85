-- Which vectors are many enough for a vector index, and which statement adds one?
-- Run what it says (--csv shows it whole) with `kadr sql --write "..."`. An index takes vectors of
-- one length only: before batches of another model are loaded, ALTER TABLE ... DROP INDEX vector_index.
WITH
    100000 AS enough,  -- fewer are compared one by one as quickly
    counted AS
    (
        SELECT 'frame_embeddings' AS table, count() AS vectors, groupUniqArray(length(embedding)) AS lengths FROM frame_embeddings
        UNION ALL
        SELECT 'passage_embeddings', count(), groupUniqArray(length(embedding)) FROM passage_embeddings
        UNION ALL
        SELECT 'video_embeddings', count(), groupUniqArray(length(embedding)) FROM video_embeddings
        UNION ALL
        SELECT 'faces', count(), groupUniqArray(length(embedding)) FROM faces
    )
SELECT
    table,
    vectors,
    lengths,
    (table IN
    (
        SELECT table FROM system.data_skipping_indices
        WHERE database = currentDatabase() AND type = 'vector_similarity'
    ))::Bool AS has_index,
    (vectors >= enough AND length(lengths) = 1)::Bool AS advised,
    if(
        length(lengths) = 1,
        format(
            'ALTER TABLE {} ADD INDEX IF NOT EXISTS vector_index embedding TYPE vector_similarity(''hnsw'', ''cosineDistance'', {}), MATERIALIZE INDEX vector_index SETTINGS mutations_sync = 1',
            table, toString(lengths[1])
        ),
        ''
    ) AS statement
FROM counted
ORDER BY vectors DESC, table;
