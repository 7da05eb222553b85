-- A name or a hidden flag given by hand: the last word, also where the clock was set back.
INSERT INTO given_names (kind, id, name, hidden, given_at)
SELECT
    {kind:String},
    {id:Int32},
    {name:String},
    {hidden:Bool},
    greatest(now64(3), addMilliseconds(max(given_at), 1))
FROM given_names
WHERE kind = {kind:String} AND id = {id:Int32};
