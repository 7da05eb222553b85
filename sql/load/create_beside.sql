-- An empty table with the structure, order and partitions of another.
CREATE TABLE $beside AS $table;
