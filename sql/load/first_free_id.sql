-- The first id that was never given to a topic or a person, as far as the tables know.
SELECT toInt32(ifNull(max(id), -1) + 1)
FROM
(
    SELECT maxOrNull(id) AS id FROM given_names WHERE kind = {kind:String}
    UNION ALL
    SELECT maxOrNull(topic_id) FROM topic_changes WHERE {kind:String} = 'topic'
    UNION ALL
    SELECT maxOrNull(topic_id) FROM topics WHERE {kind:String} = 'topic'
    UNION ALL
    SELECT maxOrNull(person_id) FROM people_changes WHERE {kind:String} = 'person'
    UNION ALL
    SELECT maxOrNull(person_id) FROM people WHERE {kind:String} = 'person'
);
