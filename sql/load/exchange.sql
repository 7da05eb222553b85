-- Swaps two tables at once.
EXCHANGE TABLES $table AND $beside;
