-- The vectors of one channel, a row a video.
SELECT video_id, embedding
FROM video_embeddings
WHERE channel = {channel:String}
ORDER BY video_id;
