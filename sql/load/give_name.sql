-- A name or a hidden flag given by hand.
INSERT INTO given_names (kind, id, name, hidden)
SELECT {kind:String}, {id:Int32}, {name:String}, {hidden:Bool};
