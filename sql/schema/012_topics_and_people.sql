-- Topics that keep their ids, and what became of them from one clustering to the next.
ALTER TABLE topics
    MODIFY COLUMN topic_id Int32 COMMENT 'stays the topic''s own from one clustering to the next',
    MODIFY COLUMN name String COMMENT 'given by hand, or the topic''s foremost terms',
    MODIFY COLUMN centroid Array(Float32) COMMENT 'mean of its videos'' vectors in the space of topics' CODEC(NONE),
    ADD COLUMN IF NOT EXISTS found_name String COMMENT 'its foremost terms, whatever name it was given',
    ADD COLUMN IF NOT EXISTS hidden Bool COMMENT 'whether it was hidden by hand',
    ADD COLUMN IF NOT EXISTS taxonomy_path String COMMENT 'nearest entry of the taxonomy; empty for none',
    ADD COLUMN IF NOT EXISTS taxonomy_score Float32 COMMENT '0 to 1, how near that entry is',
    ADD COLUMN IF NOT EXISTS reach Float32 COMMENT 'how far from the centroid a new video may be to join',
    ADD COLUMN IF NOT EXISTS map_x Float32 COMMENT 'place on the map of topics, 0 to 1',
    ADD COLUMN IF NOT EXISTS map_y Float32 COMMENT 'place on the map of topics, 0 to 1';

ALTER TABLE video_topics
    ADD COLUMN IF NOT EXISTS source LowCardinality(String) COMMENT 'clustered, joined (it came later), or none';

CREATE TABLE IF NOT EXISTS topic_changes
(
    clustering_no Int32 COMMENT '1, 2, ...: the full clustering',
    change LowCardinality(String) COMMENT 'appeared, vanished, split, merged',
    topic_id Int32 COMMENT 'the topic: the old one, of a new one its own',
    name String COMMENT 'the topic''s name then',
    other_ids Array(Int32) COMMENT 'split: what it fell into; merged: what went into it',
    size_before Int64 COMMENT 'members before; 0 for a new one',
    size_after Int64 COMMENT 'members after; 0 for one that is gone'
)
ENGINE = MergeTree
ORDER BY (clustering_no, change, topic_id)
COMMENT 'what became of a topic in a clustering, where it did not simply stay';

-- Loaded batch by batch. The pictures of faces stay in Parquet.
CREATE TABLE IF NOT EXISTS faces
(
    video_id String COMMENT 'the video, as in `videos`',
    frame_no Int64 COMMENT 'the frame, as in `frames`',
    face_no Int32 COMMENT '0, 1, ... within the frame, the largest first',
    start_s Float64 COMMENT 'when the frame is shown',
    duration_s Float64 COMMENT 'how long it stands for',
    x0 Float32 COMMENT 'left edge, share of the width',
    y0 Float32 COMMENT 'top edge, share of the height',
    x1 Float32 COMMENT 'right edge, share of the width',
    y1 Float32 COMMENT 'bottom edge, share of the height',
    score Float32 COMMENT '0 to 1, how sure the detector is',
    size_px Int32 COMMENT 'shorter side of the box, in pixels of the kept frame',
    quality Float32 COMMENT '0 to 1, of size, sharpness, pose and light',
    flaw LowCardinality(String) COMMENT 'why it is kept out of clustering; empty for a clear face',
    embedding Array(Float32) COMMENT 'unit-length vector' CODEC(NONE),
    model LowCardinality(String) COMMENT 'name and revision of the model that made the row',
    batch LowCardinality(String) COMMENT 'the batch the video belongs to'
)
ENGINE = MergeTree
PARTITION BY batch
ORDER BY (video_id, frame_no, face_no)
COMMENT 'a face in a kept frame';

-- Library-wide: made anew and swapped in.
CREATE TABLE IF NOT EXISTS people
(
    person_id Int32 COMMENT 'stays the person''s own from one clustering on',
    name String COMMENT 'given by hand or known by a picture; empty if unknown',
    is_known Bool COMMENT 'whether a picture in known_people gave the name',
    hidden Bool COMMENT 'whether the person was hidden by hand',
    size Int64 COMMENT 'videos the person appears in',
    face_count Int64 COMMENT 'faces in kept frames, over all videos',
    screen_s Float64 COMMENT 'seconds on screen, over all videos',
    centroid Array(Float32) COMMENT 'unit-length mean of the person''s vectors in videos' CODEC(NONE),
    reach Float32 COMMENT 'how far from the centroid a new face may be to join',
    crop String COMMENT 'the face nearest the centroid, RGB JPEG',
    best_video_id String COMMENT 'the video of that face',
    best_s Float64 COMMENT 'its time in that video',
    model LowCardinality(String) COMMENT 'name and revision of the models behind the vectors'
)
ENGINE = MergeTree
ORDER BY person_id
COMMENT 'a person who appears in several videos, or whose name is known';

CREATE TABLE IF NOT EXISTS video_people
(
    video_id String COMMENT 'the video, as in `videos`',
    person_no Int32 COMMENT '0, 1, ... within the video, longest on screen first',
    person_id Int32 COMMENT 'the person, as in `people`; -1 for one seen here only',
    rank Int32 COMMENT '1 for who is longest on screen in the video',
    screen_share Float32 COMMENT 'share of the video''s length on screen, 0 to 1',
    screen_s Float64 COMMENT 'seconds on screen',
    face_count Int32 COMMENT 'faces in kept frames',
    first_s Float64 COMMENT 'when first seen',
    best_s Float64 COMMENT 'when the face of the best quality is shown',
    starts_s Array(Float64) COMMENT 'by appearance, in the video''s time',
    ends_s Array(Float64) COMMENT 'by appearance, in the video''s time',
    quality Float32 COMMENT 'of the best face, 0 to 1',
    probability Float32 COMMENT '0 to 1, how surely it is that person; 0 for none',
    distance Float32 COMMENT 'Euclidean, to the person''s centroid (none: nearest)',
    source LowCardinality(String) COMMENT 'clustered, joined (it came later), or none'
)
ENGINE = MergeTree
ORDER BY (person_id, video_id, person_no)
COMMENT 'a person in a video';

CREATE TABLE IF NOT EXISTS people_changes
(
    clustering_no Int32 COMMENT '1, 2, ...: the full clustering',
    change LowCardinality(String) COMMENT 'appeared, vanished, split, merged',
    person_id Int32 COMMENT 'the person: the old one, of a new one its own',
    name String COMMENT 'the person''s name then',
    other_ids Array(Int32) COMMENT 'split: what it fell into; merged: what went into it',
    size_before Int64 COMMENT 'members before; 0 for a new one',
    size_after Int64 COMMENT 'members after; 0 for one that is gone'
)
ENGINE = MergeTree
ORDER BY (clustering_no, change, person_id)
COMMENT 'what became of a person in a clustering, where it did not simply stay';

-- What people said of topics and persons: kadr topics name 3 "Space", kadr people hide 7.
CREATE TABLE IF NOT EXISTS given_names
(
    kind LowCardinality(String) COMMENT 'topic or person',
    id Int32 COMMENT 'topic_id or person_id',
    name String COMMENT 'the name given by hand; empty for none',
    hidden Bool COMMENT 'whether it is hidden',
    given_at DateTime64(3, 'UTC') DEFAULT now64(3) COMMENT 'when it was said; the last word counts'
)
ENGINE = ReplacingMergeTree(given_at)
ORDER BY (kind, id)
COMMENT 'names and hidden flags given by hand to topics and persons';
