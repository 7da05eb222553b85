-- The videos that gave no data, and why.
CREATE OR REPLACE VIEW failures
COMMENT 'the videos that gave no data, and why'
AS SELECT video_id, uri, batch, status, failure_kind, error
FROM videos
WHERE status != 'ok'
ORDER BY batch, video_id;
