-- Whether a video is of the licensed base.
ALTER TABLE videos ADD COLUMN IF NOT EXISTS licensed Bool
    COMMENT 'whether it is of the licensed base, as its source said last' AFTER tags;
