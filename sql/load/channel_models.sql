-- The models behind each channel's vectors.
SELECT DISTINCT channel, model
FROM video_embeddings
ORDER BY channel, model;
