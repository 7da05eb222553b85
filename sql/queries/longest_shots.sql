-- Which are the longest shots without a cut, and where do they start?
WITH shots AS
(
    SELECT
        video_id,
        start_s,
        duration_s,
        -- A kept frame belongs to the last shot that started before it.
        countIf(is_shot_start) OVER (PARTITION BY video_id ORDER BY frame_no) AS shot_no
    FROM frames
)
SELECT
    video_id,
    shot_no,
    round(min(start_s), 1) AS from_s,
    round(sum(duration_s), 1) AS seconds
FROM shots
GROUP BY video_id, shot_no
ORDER BY seconds DESC, video_id, shot_no
LIMIT 50;
