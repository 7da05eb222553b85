-- Which tags do the videos of each topic have, and how much of the topic is under the foremost?
SELECT
    any(t.name) AS topic,
    f.path AS tag,
    uniqExact(f.video_id) AS videos,
    round(100 * videos / any(t.size)) AS percent_of_topic
FROM video_topics AS vt
INNER JOIN topics AS t ON t.topic_id = vt.topic_id
INNER JOIN video_tags AS f ON f.video_id = vt.video_id
WHERE NOT t.hidden
GROUP BY vt.topic_id, tag
ORDER BY any(t.size) DESC, vt.topic_id, videos DESC, tag
LIMIT 3 BY vt.topic_id
LIMIT 300;
