-- Library-wide: made anew from the whole library and swapped in.
CREATE TABLE IF NOT EXISTS topics
(
    topic_id Int32 COMMENT '0, 1, ...; the largest topic first',
    name String COMMENT 'the topic''s foremost terms, for people',
    terms Array(String) COMMENT 'what sets its words apart, foremost first',
    size Int64 COMMENT 'videos in it',
    centroid Array(Float32) COMMENT 'mean of its videos'' vectors, before standardising' CODEC(NONE),
    exemplar_video_ids Array(String) COMMENT 'up to 3 videos nearest the centre',
    model LowCardinality(String) COMMENT 'names and revisions of the models behind the vectors'
)
ENGINE = MergeTree
ORDER BY topic_id
COMMENT 'a topic: videos that are about the same thing';

CREATE TABLE IF NOT EXISTS video_topics
(
    video_id String COMMENT 'the video, as in `videos`',
    topic_id Int32 COMMENT 'the topic, as in `topics`; -1 for none',
    probability Float32 COMMENT '0 to 1, how surely it belongs; 0 for none',
    distance Float32 COMMENT 'Euclidean, to its topic''s centroid (none: the nearest)'
)
ENGINE = MergeTree
ORDER BY (topic_id, video_id)
COMMENT 'a video''s topic';
