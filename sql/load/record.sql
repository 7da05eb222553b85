-- A line of the journal.
INSERT INTO batch_loads (table, batch, event, fingerprint, rows)
SELECT {table:String}, {batch:String}, {event:String}, {fingerprint:String}, {rows:UInt64};
