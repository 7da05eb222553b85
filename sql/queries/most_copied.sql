-- Which videos are copied most, how many seconds of them, and how soon after?
SELECT
    p.original_id AS video_id,
    any(o.title) AS title,
    count() AS copies,
    countIf(p.verdict = 'partial') AS in_parts,
    round(sum(arraySum((s, e) -> e - s, p.copy_starts_s, p.copy_ends_s)), 1) AS seconds_copied,
    min(dateDiff('day', o.published_at, c.published_at)) AS days_to_first
FROM duplicate_pairs AS p
INNER JOIN videos AS o ON o.video_id = p.original_id AND o.status = 'ok'
INNER JOIN videos AS c ON c.video_id = p.copy_id AND c.status = 'ok'
WHERE p.verdict IN ('duplicate', 'partial')
GROUP BY video_id
ORDER BY copies DESC, seconds_copied DESC, video_id
LIMIT 50;
