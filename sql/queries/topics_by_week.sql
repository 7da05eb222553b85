-- Which topics grew in the week before the newest video, against the week before that?
WITH (SELECT max(published_at) FROM videos WHERE status = 'ok') AS newest
SELECT
    t.topic_id AS topic_id,
    t.name AS topic,
    countIf(v.published_at > newest - INTERVAL 7 DAY) AS this_week,
    countIf(v.published_at <= newest - INTERVAL 7 DAY) AS week_before
FROM video_topics AS vt
INNER JOIN videos AS v ON v.video_id = vt.video_id
INNER JOIN topics AS t ON t.topic_id = vt.topic_id
WHERE v.published_at > newest - INTERVAL 14 DAY AND NOT t.hidden
GROUP BY topic_id, topic
ORDER BY this_week - week_before DESC, this_week DESC, topic_id;
