-- What is the library about: which topics, how many videos in each, and an example?
SELECT
    t.topic_id AS topic_id,
    t.name AS name,
    t.size AS videos,
    round(100 * t.size / (SELECT count() FROM video_topics), 1) AS percent,
    arraySlice(t.terms, 1, 8) AS terms,
    t.taxonomy_path AS nearest_in_taxonomy,
    v.title AS example
FROM topics AS t
LEFT JOIN videos AS v ON v.video_id = t.exemplar_video_ids[1]
WHERE NOT t.hidden
ORDER BY videos DESC, topic_id;
