-- What is said and written while a person is on screen?
WITH
    (SELECT argMax(person_id, (size, -person_id)) FROM people WHERE NOT hidden) AS person,  -- or a number from people.sql
    seen AS
    (
        SELECT video_id, start_s, end_s
        FROM video_people
        ARRAY JOIN starts_s AS start_s, ends_s AS end_s
        WHERE person_id = person AND person_id NOT IN (SELECT person_id FROM people WHERE hidden)
    )
SELECT
    p.video_id AS video_id,
    p.channel AS channel,
    round(greatest(p.start_s, s.start_s), 1) AS from_s,
    round(least(p.end_s, s.end_s), 1) AS to_s,
    p.text AS text
FROM passages AS p
INNER JOIN seen AS s ON s.video_id = p.video_id
WHERE p.channel IN ('asr', 'ocr') AND p.start_s < s.end_s AND s.start_s < p.end_s
    AND p.video_id IN (SELECT video_id FROM seen)
ORDER BY video_id, from_s, channel, p.passage_no
LIMIT 1 BY video_id, channel, p.passage_no
LIMIT 200;
