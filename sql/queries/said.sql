-- What is said about something, in which video and when? Any form of a word counts.
WITH
    (SELECT arrayFirst(w -> lengthUTF8(w) > 4, words) FROM passages WHERE channel = 'asr' ORDER BY video_id, passage_no LIMIT 1) AS typed,  -- or 'heavy rain'
    -- As passages have their words: "don’t" is one word, with a plain apostrophe.
    replaceAll(lowerUTF8(replaceAll(normalizeUTF8NFKC(typed), '’', '\'')), 'ё', 'е') AS folded,
    -- '-' is no word: a list without any would not be looked up, but compared with every row.
    arrayPushBack(extractAll(folded, '[\\p{L}\\p{N}_]+(?:\'[\\p{L}\\p{N}_]+)*'), '-') AS typed_words,
    (SELECT groupArray(word) FROM search_vocabulary WHERE has(typed_words, word)) AS known_words,
    (
        SELECT arrayDistinct(arrayConcat(typed_words, groupArray(lemma)))
        FROM
        (
            SELECT lemma FROM search_vocabulary WHERE words = 1 AND has(typed_words, word)
            UNION ALL
            -- The vocabulary lacks what only one video has outside its title.
            SELECT arrayJoin(arrayFilter((l, w) -> has(typed_words, w), lemmas, words)) AS lemma
            FROM passages
            WHERE hasAny(words, arrayFilter(w -> NOT has(known_words, w), typed_words))
        )
    ) AS wanted,
    found AS
    (
        SELECT video_id, start_s, end_s, text, length(arrayIntersect(lemmas, wanted)) AS words_found
        FROM passages
        WHERE channel = 'asr' AND hasAny(lemmas, wanted)
        ORDER BY words_found DESC, video_id, start_s
        LIMIT 50
    )
SELECT
    f.video_id AS video_id,
    v.title AS title,
    round(f.start_s, 1) AS from_s,
    round(f.end_s, 1) AS to_s,
    f.text AS said
FROM videos AS v
INNER JOIN found AS f ON f.video_id = v.video_id
WHERE v.status = 'ok'
ORDER BY f.words_found DESC, video_id, from_s;
