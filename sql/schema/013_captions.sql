-- What a video LLM says that a video shows.
CREATE TABLE IF NOT EXISTS captions
(
    video_id String COMMENT 'the video, as in `videos`',
    caption String COMMENT 'what the video shows, as the model tells it: one paragraph',
    language LowCardinality(String) COMMENT 'ISO 639-1, the language that was asked for',
    frame_count Int32 COMMENT 'kept frames that the model was shown',
    model LowCardinality(String) COMMENT 'name and revision of the model that made the row',
    batch LowCardinality(String) COMMENT 'the batch the video belongs to'
)
ENGINE = MergeTree
PARTITION BY batch
ORDER BY video_id
COMMENT 'what a video shows, described from its frames';
