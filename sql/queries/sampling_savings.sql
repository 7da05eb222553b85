-- How many frames does sampling by content save against one frame a second, and in which batch?
SELECT
    if(batch = '', '(all)', batch) AS batch_name,
    sum(plain_1fps_frame_count) AS one_a_second,
    sum(kept_frame_count) AS kept,
    round(100 * (1 - kept / one_a_second), 1) AS percent_saved,
    round(sum(duration_s) / kept, 2) AS seconds_a_frame
FROM videos
WHERE status = 'ok'
GROUP BY batch WITH ROLLUP
ORDER BY batch = '', batch DESC
LIMIT 100;
