-- Takes the batch's rows out at once.
ALTER TABLE $table DROP PARTITION {batch:String};
