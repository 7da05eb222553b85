-- The fingerprint and rows of what a table holds of a batch; no row when it holds none of it.
SELECT fingerprint, rows FROM loaded_batches
WHERE table = {table:String} AND batch = {batch:String};
