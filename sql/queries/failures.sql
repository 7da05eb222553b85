-- What failed or was left out, and why?
SELECT batch, video_id, failure_kind, error, uri
FROM failures
ORDER BY failure_kind, batch, video_id
LIMIT 200;
