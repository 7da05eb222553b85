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
        WHERE model = asked.2
        ORDER BY distance  -- by nothing else, or the index is not used
        LIMIT 200
    )
SELECT
    round(n.distance, 4) AS distance,
    n.video_id AS video_id,
    v.title AS title,
    n.channel AS channel,
    round(n.start_s, 1) AS from_s,
    p.text AS text
FROM passages AS p
INNER JOIN nearest AS n ON n.video_id = p.video_id AND n.channel = p.channel AND n.passage_no = p.passage_no
INNER JOIN videos AS v ON v.video_id = p.video_id AND v.status = 'ok'
WHERE n.video_id != video
ORDER BY n.distance, video_id, channel, from_s
LIMIT 1 BY video_id
LIMIT 20;
