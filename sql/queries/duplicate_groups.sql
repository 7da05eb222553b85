-- Which videos were uploaded again, how often, and which one was the first?
SELECT
    g.group_id AS original_id,
    anyIf(v.title, g.is_original) AS original_title,
    anyIf(v.published_at, g.is_original) AS published_at,
    any(g.group_size) - 1 AS copies,
    arraySort(groupArrayIf(g.video_id, NOT g.is_original)) AS copy_ids
FROM duplicate_groups AS g
INNER JOIN videos AS v ON v.video_id = g.video_id AND v.status = 'ok'
GROUP BY original_id
ORDER BY copies DESC, original_id
LIMIT 50;
