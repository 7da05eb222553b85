-- The kept frames without their pictures, which stay in the Parquet dataset of the same name.
CREATE TABLE IF NOT EXISTS frames
(
    video_id String COMMENT 'the video, as in `videos`',
    frame_no Int64 COMMENT '0-based number among the decoded frames',
    start_s Float64 COMMENT 'when the frame is shown',
    duration_s Float64 COMMENT 'how long it stands for, up to the next kept frame',
    is_shot_start Bool COMMENT 'first kept frame of a shot',
    width Int32 COMMENT 'pixels across, of the JPEG',
    height Int32 COMMENT 'pixels down, of the JPEG',
    batch LowCardinality(String) COMMENT 'the batch the video belongs to'
)
ENGINE = MergeTree
PARTITION BY batch
ORDER BY (video_id, frame_no)
COMMENT 'a kept frame';
