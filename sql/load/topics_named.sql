-- The topics that a person means by an id or a name.
SELECT topic_id
FROM topics
WHERE toString(topic_id) = {asked:String} OR lowerUTF8(name) = lowerUTF8({asked:String})
ORDER BY topic_id;
