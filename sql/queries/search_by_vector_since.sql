-- Which moments of the newest videos are nearest to a vector that a program gives?
-- In place of the first line a program writes: WITH {query:Array(Float32)} AS query, and gives the
-- parameter. Few videos pass the filter, so it goes first and their frames are compared one by one:
-- a vector index asked first could return only frames that the filter then drops.
WITH (SELECT argMin(embedding, (video_id, frame_no)) FROM frame_embeddings) AS query,
    -- Vectors of several models may lie in one table; a program that knows its model names it.
    (SELECT any(model) FROM (SELECT model FROM frame_embeddings WHERE length(embedding) = length(query) LIMIT 1)) AS of_model,
    (SELECT max(published_at) - INTERVAL 7 DAY FROM videos WHERE status = 'ok') AS since,
    nearest AS
    (
        SELECT video_id, start_s, cosineDistance(embedding, query) AS distance
        FROM frame_embeddings
        WHERE model = of_model
            AND video_id IN (SELECT video_id FROM videos WHERE status = 'ok' AND published_at > since)
        ORDER BY distance, video_id, start_s
        LIMIT 1 BY video_id
        LIMIT 20
        SETTINGS vector_search_filter_strategy = 'prefilter'
    )
SELECT
    n.video_id AS video_id,
    v.title AS title,
    v.published_at AS published_at,
    round(n.start_s, 1) AS at_s,
    round(n.distance, 4) AS distance
FROM videos AS v
INNER JOIN nearest AS n ON n.video_id = v.video_id
WHERE v.status = 'ok'
ORDER BY n.distance, video_id, at_s
SETTINGS vector_search_filter_strategy = 'prefilter';
