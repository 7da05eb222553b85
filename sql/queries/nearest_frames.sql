-- Which moments of other videos look like one moment of a video? One moment a video.
WITH
    (SELECT min(video_id) FROM frame_embeddings) AS video,  -- or 'the id of a video'
    5 AS at_s                                               -- the moment, in seconds
SELECT
    e.video_id AS video_id,
    round(e.start_s, 1) AS found_at_s,
    round(cosineDistance(e.embedding, q.embedding), 4) AS distance
FROM frame_embeddings AS e
INNER JOIN
(
    SELECT model, argMin(embedding, abs(start_s - at_s)) AS embedding
    FROM frame_embeddings
    WHERE video_id = video
    GROUP BY model
) AS q ON q.model = e.model
WHERE e.video_id != video
ORDER BY distance, video_id, found_at_s
LIMIT 1 BY video_id
LIMIT 20;
