-- Library-wide: made anew from the pairs that batches found and swapped in.
CREATE TABLE IF NOT EXISTS duplicate_pairs
(
    copy_id String COMMENT 'the later of the two videos',
    original_id String COMMENT 'the earlier one, by published_at and then by id',
    verdict LowCardinality(String) COMMENT 'duplicate, partial, hard_same_video_other_audio, hard_other_video_same_audio',
    score Float32 COMMENT '0 to 1, how sure the verdict is; the worst pairs come last',
    visual_score Float32 COMMENT '0 to 1, how surely pictures are shared',
    audio_score Float32 COMMENT '0 to 1, how alike the sound is along the match',
    sound LowCardinality(String) COMMENT 'same, different, missing, silent, unclear',
    copy_share Float32 COMMENT 'share of the copy''s length that is matched',
    original_share Float32 COMMENT 'share of the original''s length that is matched',
    mirrored Bool COMMENT 'shown left for right',
    rotated_deg Int32 COMMENT 'degrees the copy''s picture is turned clockwise, 0 to 359',
    speed Float32 COMMENT 'how fast the copy runs; 1 is the original''s tempo',
    copy_starts_s Array(Float64) COMMENT 'by segment, in the copy''s time',
    copy_ends_s Array(Float64) COMMENT 'by segment, in the copy''s time',
    original_starts_s Array(Float64) COMMENT 'by segment, in the original''s time',
    original_ends_s Array(Float64) COMMENT 'by segment, in the original''s time',
    reason String COMMENT 'why, in words'
)
ENGINE = MergeTree
ORDER BY (copy_id, original_id)
COMMENT 'a video and an earlier one that share pictures or sound';

CREATE TABLE IF NOT EXISTS duplicate_groups
(
    video_id String COMMENT 'the video, as in `videos`',
    group_id String COMMENT 'id of the group''s earliest video, its original',
    is_original Bool COMMENT 'whether it is that video',
    group_size Int32 COMMENT 'videos in the group',
    score Float32 COMMENT 'of its pair with the original; 1 for the original'
)
ENGINE = MergeTree
ORDER BY (group_id, video_id)
COMMENT 'a video of a group of copies';

CREATE TABLE IF NOT EXISTS copyright_hits
(
    video_id String COMMENT 'the video, as in `videos`',
    licence_id String COMMENT 'the licensed video',
    verdict LowCardinality(String) COMMENT 'duplicate, partial, hard_same_video_other_audio, hard_other_video_same_audio',
    score Float32 COMMENT '0 to 1, how sure the verdict is; the worst pairs come last',
    reason String COMMENT 'why, in words',
    starts_s Array(Float64) COMMENT 'by segment, in the video''s time',
    ends_s Array(Float64) COMMENT 'by segment, in the video''s time',
    licence_starts_s Array(Float64) COMMENT 'by segment, in the licensed video''s time',
    licence_ends_s Array(Float64) COMMENT 'by segment, in the licensed video''s time',
    matched_s Float64 COMMENT 'seconds of the video that are matched'
)
ENGINE = MergeTree
ORDER BY (video_id, licence_id)
COMMENT 'a video that holds pictures or sound of a licensed one';
