-- Rows of a whole table.
SELECT count() FROM $table;
