-- Which videos have a title that does not go with their tag: a wrong tag, or a title that misleads?
WITH
    5 AS videos_at_least,  -- a tag of fewer videos has no typical title
    filed AS
    (
        SELECT e.video_id AS video_id, t.path AS path, e.model AS model, e.embedding AS embedding
        FROM video_embeddings AS e
        INNER JOIN video_tags AS t ON t.video_id = e.video_id
        WHERE e.channel = 'title'
    ),
    typical AS
    (
        SELECT path, model, avgForEach(embedding) AS centre
        FROM filed
        GROUP BY path, model
        HAVING count() >= videos_at_least
    ),
    deviating AS
    (
        SELECT
            f.video_id AS video_id,
            f.path AS path,
            cosineDistance(f.embedding, t.centre) AS distance,
            -- Some tags are wider than others.
            (distance - avg(distance) OVER (PARTITION BY f.path, f.model))
                / greatest(stddevPop(distance) OVER (PARTITION BY f.path, f.model), 0.001) AS deviations
        FROM filed AS f
        INNER JOIN typical AS t ON t.path = f.path AND t.model = f.model
        ORDER BY deviations DESC, video_id, path
        LIMIT 50
    )
SELECT
    round(j.deviations, 1) AS deviations,
    round(j.distance, 2) AS distance,
    j.path AS tag,
    v.title AS title,
    j.video_id AS video_id
FROM videos AS v
INNER JOIN deviating AS j ON j.video_id = v.video_id
WHERE v.status = 'ok' AND j.deviations > 1
ORDER BY j.deviations DESC, video_id, tag;
