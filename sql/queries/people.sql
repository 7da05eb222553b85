-- Who appears in several videos, how often and how long, and where to see them best?
SELECT
    p.person_id AS person_id,
    if(p.name = '', '(unknown)', p.name) AS name,
    p.size AS videos,
    round(p.screen_s, 1) AS seconds,
    v.title AS seen_best_in,
    round(p.best_s, 1) AS at_s
FROM people AS p
LEFT JOIN videos AS v ON v.video_id = p.best_video_id
WHERE NOT p.hidden
ORDER BY videos DESC, seconds DESC, person_id
LIMIT 200;
