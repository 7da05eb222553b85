-- Which videos are copies of earlier ones, in which seconds, and what was done to them?
SELECT
    p.copy_id AS copy_id,
    p.original_id AS original_id,
    p.verdict AS verdict,
    round(p.score, 2) AS score,
    arrayStringConcat(arrayMap((s, e) -> concat(toString(round(s, 1)), '-', toString(round(e, 1))), p.copy_starts_s, p.copy_ends_s), ', ') AS seconds,
    p.reason AS reason,
    c.title AS title,
    o.title AS original_title
FROM duplicate_pairs AS p
INNER JOIN videos AS c ON c.video_id = p.copy_id AND c.status = 'ok'
INNER JOIN videos AS o ON o.video_id = p.original_id AND o.status = 'ok'
WHERE p.verdict IN ('duplicate', 'partial')
ORDER BY score DESC, copy_id, original_id
LIMIT 100;
