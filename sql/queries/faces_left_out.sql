-- How many faces were seen, and how many were too small, blurred or turned to tell who it is?
SELECT
    if(flaw = '', '(clear)', flaw) AS flaw,
    count() AS faces,
    uniqExact(video_id) AS videos,
    round(avg(size_px)) AS mean_size_px,
    round(avg(quality), 2) AS mean_quality
FROM faces
GROUP BY flaw
ORDER BY faces DESC, flaw;
