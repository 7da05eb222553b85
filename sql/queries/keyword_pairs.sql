-- Which keywords stand together in a video more often than chance would have it?
WITH
    (SELECT uniqExact(video_id) FROM video_keywords) AS videos_in_all,
    counted AS (SELECT lemma, any(keyword) AS keyword, count() AS videos FROM video_keywords GROUP BY lemma),
    pairs AS
    (
        SELECT a.lemma AS one, b.lemma AS other, count() AS together
        FROM video_keywords AS a
        INNER JOIN video_keywords AS b ON b.video_id = a.video_id
        WHERE a.lemma < b.lemma
        GROUP BY one, other
        HAVING together > 1
    )
SELECT
    one.keyword AS keyword,
    other.keyword AS other_keyword,
    p.together AS videos,
    -- 1: as often as by chance.
    round(p.together * videos_in_all / one.videos / other.videos, 1) AS times_chance
FROM pairs AS p
INNER JOIN counted AS one ON one.lemma = p.one
INNER JOIN counted AS other ON other.lemma = p.other
-- The logarithm keeps pairs of rare words from coming before all others.
ORDER BY videos * log2(1 + times_chance) DESC, keyword, other_keyword
LIMIT 50;
