-- Which videos hold seconds of a licensed one, which seconds, and how sure is it?
SELECT
    h.video_id AS video_id,
    v.title AS title,
    h.licence_id AS licence_id,
    l.title AS licensed_title,
    round(h.matched_s, 1) AS matched_s,
    arrayStringConcat(arrayMap((s, e) -> concat(toString(round(s, 1)), '-', toString(round(e, 1))), h.starts_s, h.ends_s), ', ') AS seconds,
    h.verdict AS verdict,
    round(h.score, 2) AS score
FROM copyright_hits AS h
INNER JOIN videos AS v ON v.video_id = h.video_id AND v.status = 'ok'
INNER JOIN videos AS l ON l.video_id = h.licence_id AND l.status = 'ok'
ORDER BY matched_s DESC, video_id, licence_id
LIMIT 100;
