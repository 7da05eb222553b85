-- Where do other videos say or show in writing what is said at one moment of a video?
-- A vector index on passage_embeddings is used where there is one: see vector_index.sql.
WITH
    (SELECT min(video_id) FROM passage_embeddings) AS video,  -- or 'the id of a video'
    0 AS at_s,                                                -- the moment, in seconds
    (
        SELECT argMin((embedding, model), (abs(start_s - at_s), channel, passage_no))
        FROM passage_embeddings
        WHERE video_id = video
    ) AS asked,
    nearest AS
    (
        SELECT video_id, channel, passage_no, start_s, cosineDistance(embedding, asked.1) AS distance
        FROM passage_embeddings
        WHERE model = asked.2 AND video_id != video
        ORDER BY distance  -- by nothing else, or the index is not used
        -- All that the 20 longest videos and the asked one could hold: enough for 20 videos.
        LIMIT (SELECT sum(n) FROM (SELECT count() AS n FROM passage_embeddings GROUP BY video_id ORDER BY n DESC LIMIT 21))
    ),
    best AS
    (
        SELECT *
        FROM nearest
        ORDER BY distance, video_id, channel, start_s
        LIMIT 1 BY video_id
        LIMIT 20
    )
SELECT
    round(b.distance, 4) AS distance,
    b.video_id AS video_id,
    v.title AS title,
    b.channel AS channel,
    round(b.start_s, 1) AS from_s,
    p.text AS text
FROM passages AS p
INNER JOIN best AS b ON b.video_id = p.video_id AND b.channel = p.channel AND b.passage_no = p.passage_no
INNER JOIN videos AS v ON v.video_id = p.video_id AND v.status = 'ok'
ORDER BY b.distance, video_id, channel, from_s
-- Of a vector index so many are asked at most; where they are too few, all vectors are compared.
SETTINGS max_limit_for_vector_search_queries = 10000;
