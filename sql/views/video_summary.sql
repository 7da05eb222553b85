-- One row a video that is ok: its title, its topic, and how much is said, written and cut in it.
CREATE OR REPLACE VIEW video_summary
COMMENT 'one row a video that is ok: title, topic, how much is said, written and cut in it'
AS SELECT
    v.video_id AS video_id,
    v.title AS title,
    v.uri AS uri,
    v.published_at AS published_at,
    v.duration_s AS duration_s,
    if(t.hidden, '', t.name) AS topic,
    s.said_words AS said_words,
    s.said_s AS said_s,
    o.screen_lines AS screen_lines,
    f.shots AS shots,
    v.batch AS batch
FROM videos AS v
LEFT JOIN video_topics AS vt ON vt.video_id = v.video_id
LEFT JOIN topics AS t ON t.topic_id = vt.topic_id
LEFT JOIN
(
    SELECT video_id, sum(length(splitByWhitespace(text))) AS said_words, sum(end_s - start_s) AS said_s
    FROM asr_segments
    GROUP BY video_id
) AS s ON s.video_id = v.video_id
LEFT JOIN
(
    SELECT video_id, count() AS screen_lines
    FROM ocr_lines
    GROUP BY video_id
) AS o ON o.video_id = v.video_id
LEFT JOIN
(
    SELECT video_id, countIf(is_shot_start) AS shots
    FROM frames
    GROUP BY video_id
) AS f ON f.video_id = v.video_id
WHERE v.status = 'ok';
