-- The texts of some videos.
SELECT video_id, channel, text
FROM video_texts
WHERE has({videos:Array(String)}, video_id)
ORDER BY channel, video_id;
