-- Which videos are most like one video in all of its channels: look, title, speech, text on screen?
-- The ranks in each channel are fused (reciprocal rank fusion, Cormack et al. 2009).
WITH
    (SELECT min(video_id) FROM video_embeddings) AS video,  -- or 'the id of a video'
    nearest AS
    (
        SELECT
            e.channel AS channel,
            groupArraySorted(200)((cosineDistance(e.embedding, q.embedding), e.video_id)) AS neighbours
        FROM video_embeddings AS e
        INNER JOIN video_embeddings AS q ON q.channel = e.channel AND q.model = e.model
        WHERE q.video_id = video AND e.video_id != video
        GROUP BY e.channel
    ),
    fused AS
    (
        SELECT
            neighbour.2 AS video_id,
            sum(1 / (60 + place)) AS score,
            groupArraySorted(9)(concat(channel, ' ', toString(round(neighbour.1, 3)))) AS distances
        FROM nearest
        ARRAY JOIN neighbours AS neighbour, arrayEnumerate(neighbours) AS place
        GROUP BY video_id
        ORDER BY score DESC, video_id
        LIMIT 20
    )
SELECT f.video_id AS video_id, v.title AS title, round(f.score, 4) AS score, f.distances AS distances
FROM videos AS v
INNER JOIN fused AS f ON f.video_id = v.video_id
WHERE v.status = 'ok'
ORDER BY f.score DESC, video_id;
