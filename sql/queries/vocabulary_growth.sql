-- How many words never met before does each week bring, and is it fewer as the library grows?
WITH
    ['title', 'description'] AS channels,  -- with 'asr' and 'ocr' it reads all that is said and written
    firsts AS
    (
        SELECT lemma, toStartOfWeek(min(v.published_at), 1) AS week
        FROM passages AS p
        ARRAY JOIN arrayDistinct(p.lemmas) AS lemma
        INNER JOIN videos AS v ON v.video_id = p.video_id
        WHERE has(channels, p.channel) AND v.status = 'ok' AND isNotNull(v.published_at)
        GROUP BY lemma
    )
SELECT week, count() AS new_words, sum(new_words) OVER (ORDER BY week) AS words_so_far
FROM firsts
GROUP BY week
ORDER BY week DESC
LIMIT 100;
