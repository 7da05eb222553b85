-- Where does a piece of a word, a number or a name stand on screen?
-- Three letters or more are looked up in an index; with fewer every text is read.
WITH
    (SELECT substringUTF8(text, 2, 4) FROM passages WHERE channel = 'ocr' ORDER BY video_id, passage_no LIMIT 1) AS typed,  -- or '24/7'
    replaceRegexpAll(replaceAll(lowerUTF8(typed), 'ё', 'е'), '[%_\\\\]', '\\\\\\0') AS piece,
    found AS
    (
        SELECT video_id, start_s, end_s, text
        FROM passages
        WHERE channel = 'ocr' AND replaceAll(lowerUTF8(text), 'ё', 'е') LIKE concat('%', piece, '%')
        ORDER BY video_id, start_s
        LIMIT 100
    )
SELECT
    f.video_id AS video_id,
    v.title AS title,
    round(f.start_s, 1) AS from_s,
    round(f.end_s, 1) AS to_s,
    f.text AS on_screen
FROM videos AS v
INNER JOIN found AS f ON f.video_id = v.video_id
WHERE v.status = 'ok'
ORDER BY video_id, from_s;
