-- In how many videos each word of the passages stands, and each two side by side without stop
-- words. What only one video has outside its title is most often a mistake of recognition.
WITH {stop:Array(String)} AS stop
SELECT
    found.1 AS word,
    min(found.2) AS lemma,
    toInt32(1 + countSubstrings(word, ' ')) AS words,
    toInt64(uniqExact(video_id)) AS videos,
    toInt64(uniqExactIf(video_id, channel = 'title')) AS title_videos
FROM
(
    SELECT video_id, channel, arrayJoin(arrayZip(words, lemmas)) AS found
    FROM passages
    UNION ALL
    SELECT video_id, channel, (concat(first.1, ' ', second.1), concat(first.2, ' ', second.2))
    FROM
    (
        SELECT
            video_id,
            channel,
            arrayZip(words, lemmas) AS pairs,
            arrayJoin(arrayZip(arrayPopBack(pairs), arrayPopFront(pairs))) AS two,
            two.1 AS first,
            two.2 AS second
        FROM passages
    )
    WHERE NOT has(stop, first.1) AND NOT has(stop, second.1)
)
GROUP BY word
HAVING videos > 1 OR title_videos > 0
ORDER BY word
SETTINGS max_bytes_before_external_group_by = 2000000000;
