-- Under which tags are the library's videos filed, how many under each and below it?
SELECT
    t.path AS tag,
    count(DISTINCT f.video_id) AS videos,
    round(avg(f.confidence), 2) AS confidence,
    argMax(v.title, f.confidence) AS surest_example
FROM tags AS t
INNER JOIN
(
    SELECT
        video_id,
        confidence,
        arrayJoin(arrayMap(n -> arrayStringConcat(arraySlice(splitByString(': ', path), 1, n), ': '), range(1, level + 1))) AS path
    FROM video_tags
) AS f ON f.path = t.path
INNER JOIN videos AS v ON v.video_id = f.video_id
GROUP BY t.path
ORDER BY t.path;
