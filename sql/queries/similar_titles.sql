-- Which titles mean nearly the same? Compares all pairs: for libraries of some 10,000 videos.
WITH 0.2 AS farthest
SELECT
    round(cosineDistance(a.embedding, b.embedding), 3) AS distance,
    va.title AS title,
    vb.title AS other_title,
    a.video_id AS video_id,
    b.video_id AS other_video_id
FROM video_embeddings AS a
INNER JOIN video_embeddings AS b ON b.model = a.model
INNER JOIN videos AS va ON va.video_id = a.video_id
INNER JOIN videos AS vb ON vb.video_id = b.video_id
WHERE a.channel = 'title' AND b.channel = 'title' AND a.video_id < b.video_id
    AND cosineDistance(a.embedding, b.embedding) <= farthest
ORDER BY distance, video_id, other_video_id
LIMIT 50;
