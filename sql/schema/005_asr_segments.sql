-- What is said.
CREATE TABLE IF NOT EXISTS asr_segments
(
    video_id String COMMENT 'the video, as in `videos`',
    segment_no Int32 COMMENT '0, 1, ... within the video',
    start_s Float64 COMMENT 'where it starts',
    end_s Float64 COMMENT 'where it ends',
    text String COMMENT 'what is said',
    language LowCardinality(String) COMMENT 'ISO 639-1, as detected; empty when unknown',
    confidence Float32 COMMENT '0 to 1, the recogniser''s own',
    model LowCardinality(String) COMMENT 'name and revision of the model that made the row',
    batch LowCardinality(String) COMMENT 'the batch the video belongs to'
)
ENGINE = MergeTree
PARTITION BY batch
ORDER BY (video_id, segment_no)
COMMENT 'a spoken segment';
