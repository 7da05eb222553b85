-- How many copies of earlier videos came each week, and how long after the originals?
SELECT
    toStartOfWeek(c.published_at, 1) AS week,
    uniqExact(p.copy_id) AS copies,
    uniqExact(p.original_id) AS of_videos,
    uniqExactIf(p.copy_id, toStartOfWeek(o.published_at, 1) < week) AS of_earlier_weeks,
    median(dateDiff('day', o.published_at, c.published_at)) AS median_days_after
FROM duplicate_pairs AS p
INNER JOIN videos AS c ON c.video_id = p.copy_id AND c.status = 'ok'
INNER JOIN videos AS o ON o.video_id = p.original_id AND o.status = 'ok'
WHERE p.verdict IN ('duplicate', 'partial') AND isNotNull(c.published_at) AND isNotNull(o.published_at)
GROUP BY week
ORDER BY week DESC
LIMIT 100;
