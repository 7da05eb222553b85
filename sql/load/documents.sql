-- All text of each video, in one document.
SELECT video_id, arrayStringConcat(groupArray(text), '\n') AS document
FROM (SELECT video_id, channel, text FROM video_texts ORDER BY video_id, channel)
GROUP BY video_id;
