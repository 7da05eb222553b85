-- The videos of some topics.
SELECT DISTINCT video_id FROM video_topics WHERE has({ids:Array(Int32)}, topic_id);
