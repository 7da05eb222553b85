-- Which lines of text come back in several videos: logos, channel names, running titles?
SELECT
    any(text) AS line,
    uniqExact(video_id) AS videos,
    round(sum(end_s - start_s), 1) AS seconds_on_screen,
    arraySort(groupUniqArray(3)(video_id)) AS examples
FROM ocr_lines
WHERE lengthUTF8(text) >= 3
GROUP BY lowerUTF8(trimBoth(text))
HAVING videos > 1
ORDER BY videos DESC, seconds_on_screen DESC, line
LIMIT 50;
