-- The people whom a person means by an id or a name.
SELECT person_id
FROM people
WHERE toString(person_id) = {asked:String} OR replaceAll(lowerUTF8(name), 'ё', 'е') = replaceAll(lowerUTF8({asked:String}), 'ё', 'е')
ORDER BY person_id;
