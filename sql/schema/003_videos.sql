-- The ledger: every video of every batch, also those that failed.
CREATE TABLE IF NOT EXISTS videos
(
    video_id String COMMENT 'the video, as in `videos`',
    uri String COMMENT 'where the file lies',
    published_at Nullable(DateTime64(3, 'UTC')) COMMENT 'when it was published, from the catalogue',
    title String COMMENT 'title from the catalogue, or the file''s name',
    description String COMMENT 'description from the catalogue',
    tags String COMMENT 'the catalogue''s tags, as they stand there',
    status LowCardinality(String) COMMENT 'ok, failed or filtered',
    failure_kind LowCardinality(String) COMMENT 'permanent, retryable, filtered, or empty',
    error String COMMENT 'why it failed or was filtered; empty when ok',
    warning String COMMENT 'what is odd about an ok file, such as a truncated end',
    content_hash String COMMENT 'BLAKE2b-128 of the file''s bytes, hex',
    source_version String COMMENT 'size and mtime or etag of the bytes that were read',
    source_bytes Int64 COMMENT 'size of the file',
    container LowCardinality(String) COMMENT 'container format, as FFmpeg names it',
    video_codec LowCardinality(String) COMMENT 'video codec',
    audio_codec LowCardinality(String) COMMENT 'audio codec; empty without sound',
    pixel_format LowCardinality(String) COMMENT 'pixel format of the video stream',
    width Int32 COMMENT 'pixels across, as displayed (after rotation)',
    height Int32 COMMENT 'pixels down, as displayed (after rotation)',
    rotation_deg Int32 COMMENT 'clockwise rotation the display matrix asks for',
    fps Float64 COMMENT 'mean frames per second of what was decoded',
    duration_s Float64 COMMENT 'length of the picture track',
    has_audio Bool COMMENT 'whether any sound was decoded',
    frame_count Int64 COMMENT 'frames decoded',
    kept_frame_count Int32 COMMENT 'rows in `frames`',
    plain_1fps_frame_count Int32 COMMENT 'rows that one frame per second would give',
    decoder LowCardinality(String) COMMENT 'reader and its version',
    batch LowCardinality(String) COMMENT 'the batch the video belongs to'
)
ENGINE = MergeTree
PARTITION BY batch
ORDER BY video_id
COMMENT 'a video of the batch, also one that failed';
