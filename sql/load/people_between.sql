-- The rows of some people, without what is given by hand.
SELECT * EXCEPT (name, hidden)
FROM people
WHERE person_id BETWEEN {first:Int32} AND {last:Int32}
ORDER BY person_id;
