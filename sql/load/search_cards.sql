-- What an answer of search tells of a video, and the original of the copies it is folded with.
SELECT v.video_id AS video_id, v.title AS title, v.uri AS uri, v.published_at AS published_at,
       v.duration_s AS duration_s, g.group_id AS original_id
FROM videos AS v
LEFT JOIN duplicate_groups AS g ON g.video_id = v.video_id
WHERE v.status = 'ok'
ORDER BY video_id;
