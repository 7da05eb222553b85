-- Which videos look most like one video?
WITH (SELECT min(video_id) FROM video_embeddings WHERE channel = 'visual') AS video  -- or 'an id'
SELECT
    v.video_id AS video_id,
    v.title AS title,
    round(cosineDistance(e.embedding, q.embedding), 4) AS distance
FROM video_embeddings AS e
INNER JOIN video_embeddings AS q ON q.model = e.model
INNER JOIN videos AS v ON v.video_id = e.video_id
WHERE e.channel = 'visual' AND q.channel = 'visual' AND q.video_id = video AND e.video_id != video
ORDER BY distance, video_id
LIMIT 20;
