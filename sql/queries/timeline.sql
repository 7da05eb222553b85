-- What is said and shown in one video, moment by moment?
WITH (SELECT min(video_id) FROM timeline) AS video  -- or 'the id of a video'
SELECT
    round(start_s, 1) AS from_s,
    round(end_s, 1) AS to_s,
    kind,
    text
FROM timeline
WHERE video_id = video
ORDER BY start_s, kind, end_s;
