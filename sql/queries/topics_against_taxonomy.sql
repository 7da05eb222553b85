-- How do topics lie in the taxonomy: which areas, how many topics and videos in each?
SELECT
    if(taxonomy_path = '', '(none near enough)', splitByString(': ', taxonomy_path)[1]) AS area,
    count() AS topics,
    sum(size) AS videos,
    groupArray(name) AS names
FROM topics
WHERE NOT hidden
GROUP BY area
ORDER BY videos DESC, area;
