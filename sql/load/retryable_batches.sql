-- Batches with a video whose failure may pass.
SELECT DISTINCT batch
FROM videos
WHERE failure_kind = 'retryable'
ORDER BY batch;
