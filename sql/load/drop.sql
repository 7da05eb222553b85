-- SYNC: the name and the disk space are free when this returns.
DROP TABLE IF EXISTS $table SYNC;
