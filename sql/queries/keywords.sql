-- Which keywords does each video have, foremost first?
SELECT v.title, groupArray(k.keyword) AS keywords, v.video_id
FROM (SELECT * FROM video_keywords ORDER BY video_id, rank) AS k
INNER JOIN videos AS v USING (video_id)
GROUP BY v.video_id, v.title
ORDER BY v.video_id
LIMIT 1000;
