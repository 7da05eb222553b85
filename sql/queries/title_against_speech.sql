-- Which titles have least to do with what is said? (0: the same meaning; about 1: nothing in common)
WITH 5 AS words  -- fewer spoken words say too little to judge a title by
SELECT
    t.video_id AS video_id,
    round(cosineDistance(t.embedding, s.embedding), 3) AS distance,
    v.title AS title,
    substringUTF8(x.text, 1, 100) AS said
FROM video_embeddings AS t
INNER JOIN video_embeddings AS s ON s.video_id = t.video_id AND s.model = t.model
INNER JOIN videos AS v ON v.video_id = t.video_id
INNER JOIN video_texts AS x ON x.video_id = t.video_id
WHERE t.channel = 'title' AND s.channel = 'asr' AND x.channel = 'asr' AND s.word_count >= words
ORDER BY distance DESC, video_id
LIMIT 20;
