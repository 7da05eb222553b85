-- Which languages are spoken, for how long, and in how many videos?
SELECT
    if(language = '', 'unknown', language) AS spoken,
    uniqExact(video_id) AS videos,
    count() AS segments,
    round(sum(end_s - start_s) / 60, 1) AS minutes,
    round(avg(confidence), 2) AS confidence
FROM asr_segments
GROUP BY spoken
ORDER BY minutes DESC, spoken;
