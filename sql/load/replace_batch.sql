-- Readers see the old rows of the batch or the new ones, never a mixture.
ALTER TABLE $table REPLACE PARTITION {batch:String} FROM $staging;
