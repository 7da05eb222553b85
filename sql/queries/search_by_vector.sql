-- Which moments are nearest to a vector that a program gives, such as one of a text or a picture?
-- In place of the first line a program writes: WITH {query:Array(Float32)} AS query, and gives the
-- parameter. A vector index on frame_embeddings is used where there is one: see vector_index.sql.
WITH (SELECT argMin(embedding, (video_id, frame_no)) FROM frame_embeddings) AS query,
    -- Vectors of several models may lie in one table; a program that knows its model names it.
    (SELECT any(model) FROM (SELECT model FROM frame_embeddings WHERE length(embedding) = length(query) LIMIT 1)) AS of_model,
    nearest AS
    (
        SELECT video_id, start_s, cosineDistance(embedding, query) AS distance
        FROM frame_embeddings
        WHERE model = of_model
        ORDER BY distance  -- by nothing else, or the index is not used
        -- All that the 20 longest videos could hold: enough for 20 videos, however alike their frames.
        LIMIT (SELECT sum(n) FROM (SELECT count() AS n FROM frame_embeddings GROUP BY video_id ORDER BY n DESC LIMIT 20))
    )
SELECT
    n.video_id AS video_id,
    v.title AS title,
    round(n.start_s, 1) AS at_s,
    round(n.distance, 4) AS distance
FROM videos AS v
INNER JOIN nearest AS n ON n.video_id = v.video_id
WHERE v.status = 'ok'
ORDER BY n.distance, video_id, at_s
LIMIT 1 BY video_id
LIMIT 20
-- Of a vector index so many are asked at most; where they are too few, all vectors are compared.
SETTINGS max_limit_for_vector_search_queries = 10000;
