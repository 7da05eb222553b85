-- What was said last of each topic or person.
SELECT id, name, hidden
FROM given_names FINAL
WHERE kind = {kind:String}
ORDER BY id;
