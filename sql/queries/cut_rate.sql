-- Which videos are cut fastest: how many shots a minute?
SELECT
    video_id,
    any(v.title) AS title,
    countIf(f.is_shot_start) AS shots,
    round(any(v.duration_s), 1) AS duration_s,
    round(shots / greatest(duration_s, 1) * 60, 1) AS shots_a_minute,
    round(duration_s / greatest(shots, 1), 1) AS seconds_a_shot
FROM frames AS f
INNER JOIN videos AS v USING (video_id)
GROUP BY video_id
ORDER BY shots_a_minute DESC, video_id
LIMIT 50;
