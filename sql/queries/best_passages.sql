-- Which passages are most about some words, rare words weighing more than common ones?
-- BM25 (Robertson and Zaragoza 2009, k1 = 1.2, b = 0.75) over passages, by the forms of words.
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
    assumeNotNull((SELECT count() FROM passages)) AS passage_count,
    assumeNotNull((SELECT avg(length(words)) FROM passages)) AS mean_length,
    found AS
    (
        SELECT
            video_id,
            channel,
            start_s,
            text,
            length(words) AS word_count,
            arrayFilter(lemma -> has(wanted, lemma), lemmas) AS hits
        FROM passages
        WHERE hasAny(lemmas, wanted)
    ),
    weights AS
    (
        SELECT hit, log(1 + (passage_count - count() + 0.5) / (count() + 0.5)) AS idf
        FROM found
        ARRAY JOIN arrayDistinct(hits) AS hit
        GROUP BY hit
    ),
    (SELECT (groupArray(hit), groupArray(idf)) FROM weights) AS idf,
    best AS
    (
        SELECT
            video_id,
            channel,
            start_s,
            text,
            arraySum(
                hit -> arrayElement(idf.2, indexOf(idf.1, hit)) * countEqual(hits, hit) * 2.2
                    / (countEqual(hits, hit) + 1.2 * (0.25 + 0.75 * word_count / mean_length)),
                arrayDistinct(hits)
            ) AS score
        FROM found
        ORDER BY score DESC, video_id, channel, start_s
        LIMIT 50
    )
SELECT
    round(b.score, 2) AS score,
    b.video_id AS video_id,
    v.title AS title,
    b.channel AS channel,
    round(b.start_s, 1) AS from_s,
    b.text AS text
FROM videos AS v
INNER JOIN best AS b ON b.video_id = v.video_id
WHERE v.status = 'ok'
ORDER BY b.score DESC, video_id, channel, from_s;
