-- What grew this week against the week before: which topics, tags, keywords and people?
WITH
    (SELECT max(published_at) FROM videos WHERE status = 'ok') AS newest,
    recent AS
    (
        SELECT video_id, published_at > newest - INTERVAL 7 DAY AS is_new
        FROM videos
        WHERE status = 'ok' AND published_at > newest - INTERVAL 14 DAY
    ),
    counted AS
    (
        SELECT 'topic' AS kind, any(t.name) AS name, countIf(r.is_new) AS this_week, count() - this_week AS week_before
        FROM video_topics AS vt
        INNER JOIN topics AS t ON t.topic_id = vt.topic_id
        INNER JOIN recent AS r ON r.video_id = vt.video_id
        WHERE NOT t.hidden
        GROUP BY vt.topic_id
        UNION ALL
        SELECT 'tag', t.path, uniqExactIf(t.video_id, r.is_new), uniqExactIf(t.video_id, NOT r.is_new)
        FROM video_tags AS t
        INNER JOIN recent AS r ON r.video_id = t.video_id
        GROUP BY t.path
        UNION ALL
        SELECT 'keyword', any(k.keyword), uniqExactIf(k.video_id, r.is_new), uniqExactIf(k.video_id, NOT r.is_new)
        FROM video_keywords AS k
        INNER JOIN recent AS r ON r.video_id = k.video_id
        GROUP BY k.lemma
        UNION ALL
        SELECT
            'person',
            if(any(p.name) = '', concat('person ', toString(vp.person_id)), any(p.name)),
            uniqExactIf(vp.video_id, r.is_new),
            uniqExactIf(vp.video_id, NOT r.is_new)
        FROM video_people AS vp
        INNER JOIN people AS p ON p.person_id = vp.person_id
        INNER JOIN recent AS r ON r.video_id = vp.video_id
        WHERE NOT p.hidden
        GROUP BY vp.person_id
    )
SELECT
    kind,
    name,
    this_week,
    week_before,
    -- In standard deviations of the difference of two counts: 3 against 0 says less than 30 against 10.
    round((this_week - week_before) / sqrt(this_week + week_before), 1) AS growth
FROM counted
WHERE this_week > week_before
ORDER BY growth DESC, this_week DESC, kind, name
LIMIT 20 BY kind;
