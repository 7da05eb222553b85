-- Who is in the table, who appears in most videos first.
SELECT person_id, name, hidden, size
FROM people
ORDER BY size DESC, screen_s DESC, person_id;
