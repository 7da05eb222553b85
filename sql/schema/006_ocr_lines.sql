-- What is written on screen.
CREATE TABLE IF NOT EXISTS ocr_lines
(
    video_id String COMMENT 'the video, as in `videos`',
    line_no Int32 COMMENT '0, 1, ... within the video, by start and then position',
    start_s Float64 COMMENT 'when it appears',
    end_s Float64 COMMENT 'when it is gone',
    text String COMMENT 'the line',
    confidence Float32 COMMENT '0 to 1, the recogniser''s own',
    x0 Float32 COMMENT 'left edge, share of the width',
    y0 Float32 COMMENT 'top edge, share of the height',
    x1 Float32 COMMENT 'right edge, share of the width',
    y1 Float32 COMMENT 'bottom edge, share of the height',
    model LowCardinality(String) COMMENT 'name and revision of the model that made the row',
    batch LowCardinality(String) COMMENT 'the batch the video belongs to'
)
ENGINE = MergeTree
PARTITION BY batch
ORDER BY (video_id, line_no)
COMMENT 'a line of text on screen, merged over time';
