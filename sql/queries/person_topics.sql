-- In videos of which topics does each person appear, and for what share of their videos?
SELECT
    if(any(p.name) = '', concat('person ', toString(vp.person_id)), any(p.name)) AS person,
    any(t.name) AS topic,
    uniqExact(vp.video_id) AS videos,
    round(100 * videos / any(p.size)) AS percent_of_videos,
    round(sum(vp.screen_s), 1) AS seconds
FROM video_people AS vp
INNER JOIN people AS p ON p.person_id = vp.person_id
INNER JOIN video_topics AS vt ON vt.video_id = vp.video_id
INNER JOIN topics AS t ON t.topic_id = vt.topic_id
WHERE NOT p.hidden AND NOT t.hidden
GROUP BY vp.person_id, vt.topic_id
ORDER BY any(p.size) DESC, vp.person_id, videos DESC, vt.topic_id
LIMIT 5 BY vp.person_id
LIMIT 200;
