-- Which phrases of three words are said in most videos: greetings, slogans, running jokes?
WITH
    1 AS part,  -- one video in so many is read; 20 answers sooner in a library of a million
    3 AS phrase_words
SELECT
    arrayStringConcat(phrase, ' ') AS said,
    uniqExact(video_id) AS videos,
    count() AS times,
    min(video_id) AS example
FROM passages
ARRAY JOIN arrayMap(i -> arraySlice(words, i, phrase_words), range(1, greatest(length(words), phrase_words) - phrase_words + 2)) AS phrase
WHERE channel = 'asr' AND cityHash64(video_id) % part = 0 AND length(words) >= phrase_words
GROUP BY phrase
HAVING videos > 1
ORDER BY videos DESC, times DESC, said
LIMIT 50;
