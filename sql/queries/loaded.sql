-- Which batches are loaded, when, and how many rows did each table get?
SELECT
    batch,
    max(loaded_at) AS last_load,
    sumIf(rows, table = 'videos') AS videos,
    sumIf(rows, table = 'frames') AS frames,
    sumIf(rows, table = 'asr_segments') AS spoken_segments,
    sumIf(rows, table = 'ocr_lines') AS screen_lines
FROM loaded_batches
WHERE batch != ''
GROUP BY batch
ORDER BY batch DESC
LIMIT 100;
