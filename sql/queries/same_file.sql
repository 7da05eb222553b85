-- Which files are the same to the byte under several names?
SELECT
    count() AS files,
    formatReadableSize(any(source_bytes)) AS size,
    arraySort(groupArray(uri)) AS uris
FROM videos
WHERE content_hash != ''
GROUP BY content_hash
HAVING files > 1
ORDER BY files DESC, uris
LIMIT 50;
