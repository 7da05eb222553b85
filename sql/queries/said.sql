-- What is said about something, in which video and when? Put a word in the first line of the query.
WITH '' AS word  -- any language, upper or lower case; empty finds everything
SELECT
    s.video_id AS video_id,
    v.title AS title,
    round(s.start_s, 1) AS from_s,
    round(s.end_s, 1) AS to_s,
    s.text AS said,
    round(s.confidence, 2) AS confidence
FROM asr_segments AS s
INNER JOIN videos AS v ON v.video_id = s.video_id
WHERE positionCaseInsensitiveUTF8(s.text, word) > 0
ORDER BY s.confidence DESC, s.video_id, s.start_s
LIMIT 50;
