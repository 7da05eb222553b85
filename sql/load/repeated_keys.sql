-- Keys that a batch has more than once, the most frequent first.
SELECT $key, count() AS rows
FROM $table
WHERE batch = {batch:String}
GROUP BY $key
HAVING rows > 1
ORDER BY rows DESC, $key
LIMIT {limit:UInt32};
