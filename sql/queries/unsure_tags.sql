-- Which videos should a person file, because even their surest tag is in doubt or they have none?
SELECT v.title, any(t.path) AS surest_tag, round(max(t.confidence), 2) AS best, v.video_id
FROM videos AS v
LEFT JOIN video_tags AS t ON t.video_id = v.video_id AND t.rank = 1
WHERE v.status = 'ok'
GROUP BY v.video_id, v.title
HAVING best < 0.5
ORDER BY best, v.video_id
LIMIT 100;
