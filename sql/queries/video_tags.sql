-- What is each video filed under, how surely, and by whom?
SELECT v.title, t.path AS tag, round(t.confidence, 2) AS confidence, t.source, v.video_id
FROM video_tags AS t
INNER JOIN videos AS v USING (video_id)
ORDER BY v.video_id, t.rank
LIMIT 1000;
