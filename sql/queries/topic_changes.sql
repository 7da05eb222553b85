-- Which topics appeared, vanished, split or merged, and in which clustering?
SELECT clustering_no, change, topic_id, name, other_ids, size_before, size_after
FROM topic_changes
WHERE topic_id NOT IN (SELECT id FROM given_names FINAL WHERE kind = 'topic' AND hidden)
ORDER BY clustering_no DESC, greatest(size_before, size_after) DESC, topic_id
LIMIT 100;
