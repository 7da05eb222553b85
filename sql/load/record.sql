-- A line of the journal, later than every line there is, also where the clock was set back.
INSERT INTO batch_loads (table, batch, event, fingerprint, rows, at)
SELECT
    {table:String},
    {batch:String},
    {event:String},
    {fingerprint:String},
    {rows:UInt64},
    greatest(now64(6), addMicroseconds(max(at), 1))
FROM batch_loads
WHERE table = {table:String} AND batch = {batch:String};
