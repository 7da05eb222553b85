-- What is said and shown in each video and who is seen, moment by moment.
CREATE OR REPLACE VIEW timeline
COMMENT 'what is said and shown in each video and who is seen, moment by moment'
AS SELECT video_id, start_s, end_s, 'said' AS kind, text, confidence, batch
FROM asr_segments
UNION ALL
SELECT video_id, start_s, end_s, 'shown' AS kind, text, confidence, batch
FROM ocr_lines
UNION ALL
SELECT
    seen.video_id AS video_id,
    seen.start_s AS start_s,
    seen.end_s AS end_s,
    'seen' AS kind,
    multiIf(
        seen.person_id < 0, 'somebody',
        p.name = '', concat('person ', toString(seen.person_id)),
        p.name
    ) AS text,
    seen.probability AS confidence,
    v.batch AS batch
FROM
(
    SELECT video_id, person_id, probability, start_s, end_s
    FROM video_people
    ARRAY JOIN starts_s AS start_s, ends_s AS end_s
) AS seen
INNER JOIN videos AS v ON v.video_id = seen.video_id
LEFT JOIN people AS p ON p.person_id = seen.person_id
WHERE NOT p.hidden;
