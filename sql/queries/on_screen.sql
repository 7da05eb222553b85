-- Where does something stand on screen, when, and in which part of the picture?
WITH '' AS word  -- any language, upper or lower case; empty finds everything
SELECT
    o.video_id AS video_id,
    v.title AS title,
    round(o.start_s, 1) AS from_s,
    round(o.end_s, 1) AS to_s,
    o.text AS on_screen,
    concat(
        multiIf((o.y0 + o.y1) / 2 < 1 / 3, 'top ', (o.y0 + o.y1) / 2 < 2 / 3, 'middle ', 'bottom '),
        multiIf((o.x0 + o.x1) / 2 < 1 / 3, 'left', (o.x0 + o.x1) / 2 < 2 / 3, 'centre', 'right')
    ) AS place
FROM ocr_lines AS o
INNER JOIN videos AS v ON v.video_id = o.video_id
WHERE positionCaseInsensitiveUTF8(o.text, word) > 0
ORDER BY o.end_s - o.start_s DESC, o.video_id, o.start_s
LIMIT 50;
