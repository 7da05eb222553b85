-- The texts of a video, one row a channel; their vectors stand in video_embeddings.
CREATE TABLE IF NOT EXISTS video_texts
(
    video_id String COMMENT 'the video, as in `videos`',
    channel LowCardinality(String) COMMENT 'title, description, asr or ocr',
    text String COMMENT 'the text that was embedded, whole',
    word_count Int32 COMMENT 'words in it',
    language LowCardinality(String) COMMENT 'ISO 639-1, as detected; empty when unknown',
    model LowCardinality(String) COMMENT 'name and revision of the model that made the row',
    batch LowCardinality(String) COMMENT 'the batch the video belongs to'
)
ENGINE = MergeTree
PARTITION BY batch
ORDER BY (video_id, channel)
COMMENT 'the text of one channel of a video';
