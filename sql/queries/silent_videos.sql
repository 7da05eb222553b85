-- Which are the longest videos in which nobody speaks, and do they have sound at all?
SELECT video_id, title, round(duration_s, 1) AS duration_s, has_audio, audio_codec
FROM videos
WHERE status = 'ok' AND video_id NOT IN (SELECT video_id FROM asr_segments)
ORDER BY duration_s DESC, video_id
LIMIT 50;
