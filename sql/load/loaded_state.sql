-- What the tables were loaded from, batch by batch: changes exactly when their rows do.
SELECT table, batch, fingerprint
FROM loaded_batches
WHERE table IN {tables:Array(String)}
ORDER BY table, batch;
