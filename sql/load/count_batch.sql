-- Rows of one batch.
SELECT count() FROM $table WHERE batch = {batch:String};
