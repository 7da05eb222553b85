-- The topics that a person means by an id or a name.
SELECT topic_id
FROM topics
WHERE toString(topic_id) = {asked:String} OR replaceAll(lowerUTF8(name), 'ё', 'е') = replaceAll(lowerUTF8({asked:String}), 'ё', 'е')
ORDER BY topic_id;
