-- The taxonomy, and what each video is filed under. Filled by steps of the library.
CREATE TABLE IF NOT EXISTS tags
(
    tag_id Int64 COMMENT 'made from the path: the same in every library',
    path String COMMENT 'its names from the top, as in `A: B: C`',
    level Int32 COMMENT '1 to 3',
    parent_id Int64 COMMENT 'the tag above; 0 at the top',
    names Array(String) COMMENT 'its own name in every language',
    aliases Array(String) COMMENT 'further words for it',
    taxonomy LowCardinality(String) COMMENT 'version of the taxonomy'
)
ENGINE = MergeTree
ORDER BY tag_id
COMMENT 'a tag: an entry of the taxonomy';

CREATE TABLE IF NOT EXISTS video_tags
(
    video_id String COMMENT 'the video, as in `videos`',
    rank Int32 COMMENT '1, 2, ...: by source as listed there, then the surest',
    tag_id Int64 COMMENT 'the tag, as in `tags`',
    path String COMMENT 'its names from the top, as in `A: B: C`',
    level Int32 COMMENT '1 to 3',
    confidence Float32 COMMENT '0 to 1',
    source LowCardinality(String) COMMENT 'catalogue, trained or zero_shot',
    batch LowCardinality(String) COMMENT 'the batch the video belongs to'
)
ENGINE = MergeTree
PARTITION BY batch
ORDER BY (video_id, rank)
COMMENT 'a tag of a video; the tags above it are not told';

CREATE TABLE IF NOT EXISTS video_keywords
(
    video_id String COMMENT 'the video, as in `videos`',
    rank Int32 COMMENT '1, 2, ...: the foremost first',
    keyword String COMMENT 'as shown',
    lemma String COMMENT 'its words'' dictionary forms, the same in every video',
    weight Float32 COMMENT 'TF-IDF against the library',
    language LowCardinality(String) COMMENT 'ISO 639-1; empty where unknown',
    batch LowCardinality(String) COMMENT 'the batch the video belongs to'
)
ENGINE = MergeTree
PARTITION BY batch
ORDER BY (video_id, rank)
COMMENT 'a keyword of a video';

CREATE TABLE IF NOT EXISTS tag_evaluation
(
    split LowCardinality(String) COMMENT 'random or grouped folds (series stay together); none for zero_shot',
    method LowCardinality(String) COMMENT 'trained, nearest (likest video), constant, zero_shot',
    scope LowCardinality(String) COMMENT 'all, level 1, level 2, level 3, rare',
    iou Nullable(Float64) COMMENT 'mean intersection over union, of `all`',
    precision Float64 COMMENT 'of pairs of video and tag with prefixes',
    recall Float64 COMMENT 'of pairs of video and tag with prefixes',
    tags Int32 COMMENT 'tags of that scope that videos have',
    videos Int32 COMMENT 'labelled videos',
    evaluated_on Date32 COMMENT 'day of the training'
)
ENGINE = MergeTree
ORDER BY (split, method, scope)
COMMENT 'how well tags agree with the catalogue''s own, in cross-validation';
