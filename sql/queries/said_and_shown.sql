-- Where is a word said while it stands on screen?
WITH 5 AS letters  -- shorter words are mostly "the" and "and"
SELECT
    s.video_id AS video_id,
    round(greatest(s.start_s, o.start_s), 1) AS at_s,
    arrayFilter(
        w -> lengthUTF8(w) >= letters,
        arrayIntersect(
            extractAll(lowerUTF8(s.text), '[\\p{L}\\p{N}]+'), extractAll(lowerUTF8(o.text), '[\\p{L}\\p{N}]+')
        )
    ) AS words,
    s.text AS said,
    o.text AS on_screen
FROM asr_segments AS s
INNER JOIN ocr_lines AS o ON o.video_id = s.video_id
WHERE s.start_s < o.end_s AND o.start_s < s.end_s AND notEmpty(words)
ORDER BY length(words) DESC, video_id, at_s
LIMIT 50;
