-- What is in the library: how many videos ended how, how long they are, how large?
SELECT
    status,
    count() AS videos,
    round(sum(duration_s) / 3600, 2) AS hours,
    formatReadableSize(sum(source_bytes)) AS size,
    countIf(has_audio) AS with_sound,
    sum(kept_frame_count) AS kept_frames,
    uniqExact(batch) AS batches
FROM videos
GROUP BY status
ORDER BY videos DESC, status;
