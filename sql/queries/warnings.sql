-- Which videos were read but have something odd, such as a truncated end?
SELECT video_id, title, warning, uri
FROM videos
WHERE status = 'ok' AND warning != ''
ORDER BY warning, video_id
LIMIT 200;
