-- Which videos are about something, in which of their texts, and where is it met first?
-- Any form of a word counts: "cities" finds "city". The videos with most of the words come first.
WITH
    (SELECT argMax(word, (title_videos, word)) FROM search_vocabulary WHERE words = 1 AND lengthUTF8(word) > 3) AS typed,  -- or 'heavy rain'
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
        SELECT
            video_id,
            length(groupUniqArrayArray(arrayIntersect(lemmas, wanted))) AS words_found,
            arraySort(groupUniqArray(channel)) AS found_in,
            count() AS passages,
            minOrNullIf(start_s, channel IN ('asr', 'ocr')) AS first_s,
            argMax(text, length(arrayIntersect(lemmas, wanted))) AS example
        FROM passages
        WHERE hasAny(lemmas, wanted)
        GROUP BY video_id
        ORDER BY words_found DESC, has(found_in, 'title') DESC, passages DESC, video_id
        LIMIT 50
    )
SELECT
    f.video_id AS video_id,
    v.title AS title,
    f.words_found AS words_found,
    f.found_in AS found_in,
    f.passages AS passages,
    round(f.first_s, 1) AS first_s,
    f.example AS example
FROM videos AS v
INNER JOIN found AS f ON f.video_id = v.video_id
WHERE v.status = 'ok'
ORDER BY words_found DESC, has(found_in, 'title') DESC, passages DESC, video_id;
