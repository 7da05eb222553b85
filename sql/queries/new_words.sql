-- Which words are new this week: in videos of the last seven days and in none before?
-- Without what only one video has outside its title: that is most often a word misheard.
WITH
    (SELECT max(published_at) FROM videos WHERE status = 'ok') AS newest,
    this_week AS
    (
        SELECT word, uniqExact(video_id) AS videos, min(video_id) AS example
        FROM passages
        ARRAY JOIN arrayDistinct(words) AS word
        WHERE lengthUTF8(word) > 3 AND video_id IN
        (
            SELECT video_id FROM videos WHERE status = 'ok' AND published_at > newest - INTERVAL 7 DAY
        )
        GROUP BY word
    )
SELECT n.word AS word, s.lemma AS lemma, n.videos AS videos, v.title AS example, v.video_id AS video_id
FROM search_vocabulary AS s
INNER JOIN this_week AS n ON n.word = s.word
INNER JOIN videos AS v ON v.video_id = n.example AND v.status = 'ok'
WHERE s.videos = n.videos  -- the whole library has no other
ORDER BY videos DESC, word
LIMIT 50;
