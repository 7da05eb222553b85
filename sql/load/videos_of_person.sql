-- The videos in which some people appear.
SELECT DISTINCT video_id FROM video_people WHERE has({ids:Array(Int32)}, person_id);
