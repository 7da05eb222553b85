-- The vectors of some batches, a row a video and channel; one video in `part` of them.
SELECT video_id, channel, embedding
FROM video_embeddings
WHERE has({batches:Array(String)}, batch) AND cityHash64(video_id) % {part:UInt32} = 0
ORDER BY channel, video_id;
