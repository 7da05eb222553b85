-- Which videos stand for each topic best, and which belong to none?
SELECT
    if(vt.topic_id < 0, '(none)', t.name) AS topic,
    v.video_id AS video_id,
    v.title AS title,
    round(vt.probability, 2) AS probability
FROM video_topics AS vt
INNER JOIN videos AS v ON v.video_id = vt.video_id
LEFT JOIN topics AS t ON t.topic_id = vt.topic_id
WHERE NOT t.hidden
ORDER BY vt.topic_id, vt.probability DESC, video_id
LIMIT 5 BY vt.topic_id;
