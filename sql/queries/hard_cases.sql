-- Which videos share only their pictures, or only their sound, with an earlier one?
SELECT
    p.copy_id AS video_id,
    p.original_id AS other_id,
    if(p.verdict = 'hard_same_video_other_audio', 'pictures', 'sound') AS shared,
    round(p.visual_score, 2) AS pictures_alike,
    round(p.audio_score, 2) AS sound_alike,
    p.reason AS reason
FROM duplicate_pairs AS p
WHERE p.verdict LIKE 'hard_%'
ORDER BY p.score DESC, video_id, other_id
LIMIT 100;
