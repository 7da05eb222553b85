-- Where does an exact phrase stand, its words in that order, and at which second?
-- A phrase that runs from one passage into the next is not found.
WITH
    (SELECT argMax(word, (videos, word)) FROM search_vocabulary WHERE words = 2) AS typed,  -- or 'heavy rain'
    -- As passages have their words: "don’t" is one word, with a plain apostrophe.
    replaceAll(lowerUTF8(replaceAll(normalizeUTF8NFKC(typed), '’', '\'')), 'ё', 'е') AS folded,
    extractAll(folded, '[\\p{L}\\p{N}_]+(?:\'[\\p{L}\\p{N}_]+)*') AS phrase,
    found AS
    (
        SELECT
            video_id,
            channel,
            text,
            arrayFirst(i -> arraySlice(words, i, length(phrase)) = phrase, arrayEnumerate(words)) AS place,
            -- Words are taken to be equally long: right to some seconds.
            start_s + (end_s - start_s) * (place - 1) / length(words) AS at_s
        FROM passages
        -- The index knows which words there are, not their order.
        WHERE notEmpty(phrase) AND hasAll(words, phrase) AND hasSubstr(words, phrase)
        ORDER BY video_id, channel, passage_no
        LIMIT 100
    )
SELECT
    f.video_id AS video_id,
    v.title AS title,
    f.channel AS channel,
    round(f.at_s, 1) AS at_s,
    f.text AS text
FROM videos AS v
INNER JOIN found AS f ON f.video_id = v.video_id
WHERE v.status = 'ok'
ORDER BY video_id, channel, at_s;
