-- Which videos have the most to read, and how many characters a minute is that?
SELECT
    video_id,
    any(v.title) AS title,
    count() AS lines,
    sum(lengthUTF8(o.text)) AS characters,
    round(characters / greatest(any(v.duration_s), 1) * 60) AS characters_a_minute
FROM ocr_lines AS o
INNER JOIN videos AS v USING (video_id)
GROUP BY video_id
ORDER BY characters_a_minute DESC, video_id
LIMIT 50;
