-- How many videos were published each day, and how many hours do they make?
SELECT
    if(isNull(published_at), 'unknown', toString(toDate(published_at))) AS day,
    count() AS videos,
    round(sum(duration_s) / 3600, 2) AS hours
FROM videos
WHERE status = 'ok'
GROUP BY day
ORDER BY day DESC
LIMIT 100;
