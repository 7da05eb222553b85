-- Vectors. CODEC(NONE): exact search over 200,000 x 512 took 2.7 x the time of a flat FAISS index,
-- 7 to 8 x with the default codec, which saved 8 % of the disk.
CREATE TABLE IF NOT EXISTS frame_embeddings
(
    video_id String COMMENT 'the video, as in `videos`',
    frame_no Int64 COMMENT 'the frame, as in `frames`',
    start_s Float64 COMMENT 'when the frame is shown',
    duration_s Float64 COMMENT 'how long it stands for',
    embedding Array(Float32) COMMENT 'unit-length vector' CODEC(NONE),
    model LowCardinality(String) COMMENT 'name and revision of the model that made the row',
    batch LowCardinality(String) COMMENT 'the batch the video belongs to'
)
ENGINE = MergeTree
PARTITION BY batch
ORDER BY (video_id, frame_no)
COMMENT 'a kept frame''s embedding';

CREATE TABLE IF NOT EXISTS video_embeddings
(
    video_id String COMMENT 'the video, as in `videos`',
    channel LowCardinality(String) COMMENT 'visual, title, description, asr or ocr',
    model LowCardinality(String) COMMENT 'name and revision of the model that made the row',
    word_count Int32 COMMENT 'words behind the vector; 0 for visual',
    embedding Array(Float32) COMMENT 'unit-length vector' CODEC(NONE),
    batch LowCardinality(String) COMMENT 'the batch the video belongs to'
)
ENGINE = MergeTree
PARTITION BY batch
ORDER BY (video_id, channel)
COMMENT 'a video''s vector in one channel';
