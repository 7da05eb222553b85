-- The people whom a person means by an id or a name.
SELECT person_id
FROM people
WHERE toString(person_id) = {asked:String} OR lowerUTF8(name) = lowerUTF8({asked:String})
ORDER BY person_id;
