-- Which containers, codecs and sizes of picture are there?
SELECT
    container,
    video_codec,
    if(audio_codec = '', 'no sound', audio_codec) AS sound,
    concat(toString(width), 'x', toString(height)) AS picture,
    count() AS videos,
    round(avg(fps), 1) AS fps,
    round(sum(duration_s) / 3600, 2) AS hours,
    formatReadableSize(sum(source_bytes)) AS size
FROM videos
WHERE status = 'ok'
GROUP BY container, video_codec, sound, picture
ORDER BY videos DESC, container, video_codec, sound, picture
LIMIT 100;
