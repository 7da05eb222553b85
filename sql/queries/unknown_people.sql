-- Who appears most and has no name yet? kadr people name ID "NAME" gives one
SELECT
    p.person_id AS person_id,
    p.size AS videos,
    round(p.screen_s, 1) AS seconds,
    v.uri AS seen_best_in,
    round(p.best_s, 1) AS at_s
FROM people AS p
LEFT JOIN videos AS v ON v.video_id = p.best_video_id
WHERE p.name = '' AND NOT p.hidden
ORDER BY videos DESC, seconds DESC, person_id
LIMIT 50;
