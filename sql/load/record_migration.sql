-- A file was applied, later than it ever was, also where the clock was set back.
INSERT INTO migrations (number, name, sha256, applied_at)
SELECT
    {number:UInt32},
    {name:String},
    {sha256:String},
    greatest(now64(6), addMicroseconds(max(applied_at), 1))
FROM migrations
WHERE name = {name:String};
