-- The digest that was last applied of every schema and view file.
SELECT name, argMax(sha256, applied_at) FROM migrations GROUP BY name;
