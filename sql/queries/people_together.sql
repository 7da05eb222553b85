-- Who appears with whom, in how many videos, and for how long at the same time?
SELECT
    a.person_id AS one,
    b.person_id AS other,
    any(p.name) AS one_name,
    any(q.name) AS other_name,
    count(DISTINCT a.video_id) AS videos,
    round(sum(arraySum(
        (start, end) -> arraySum(
            (from, to) -> greatest(0, least(end, to) - greatest(start, from)),
            b.starts_s, b.ends_s),
        a.starts_s, a.ends_s)), 1) AS seconds_together
FROM video_people AS a
INNER JOIN video_people AS b ON b.video_id = a.video_id
INNER JOIN people AS p ON p.person_id = a.person_id
INNER JOIN people AS q ON q.person_id = b.person_id
WHERE a.person_id < b.person_id AND NOT p.hidden AND NOT q.hidden
GROUP BY one, other
ORDER BY videos DESC, seconds_together DESC, one, other
LIMIT 200;
