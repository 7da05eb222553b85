-- What is said and shown in each video, moment by moment.
CREATE OR REPLACE VIEW timeline
COMMENT 'what is said and shown in each video, moment by moment'
AS SELECT video_id, start_s, end_s, 'said' AS kind, text, confidence, batch
FROM asr_segments
UNION ALL
SELECT video_id, start_s, end_s, 'shown' AS kind, text, confidence, batch
FROM ocr_lines;
