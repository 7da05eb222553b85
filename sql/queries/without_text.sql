-- Which videos can only be found by their title: nothing is said, written or described in them?
SELECT video_id, title, round(duration_s, 1) AS duration_s, has_audio, uri
FROM videos
WHERE status = 'ok'
    AND video_id NOT IN (SELECT video_id FROM passages WHERE channel IN ('asr', 'ocr', 'description'))
ORDER BY duration_s DESC, video_id
LIMIT 100;
