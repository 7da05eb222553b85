-- In which videos does each person appear, for how much of it, and when first and best?
SELECT
    if(p.name = '', concat('person ', toString(p.person_id)), p.name) AS person,
    v.video_id AS video_id,
    v.title AS title,
    round(100 * vp.screen_share) AS percent_on_screen,
    round(vp.first_s, 1) AS first_s,
    round(vp.best_s, 1) AS best_s,
    vp.rank AS rank
FROM video_people AS vp
INNER JOIN people AS p ON p.person_id = vp.person_id
INNER JOIN videos AS v ON v.video_id = vp.video_id
WHERE NOT p.hidden
ORDER BY p.size DESC, vp.person_id, percent_on_screen DESC, video_id
LIMIT 1000;
