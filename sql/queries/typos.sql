-- Which words of the library may a mistyped word mean?
WITH
    (SELECT concat(argMax(word, (videos, word)), 'x') FROM search_vocabulary WHERE words = 1) AS typed,  -- or 'wether'
    replaceAll(lowerUTF8(replaceAll(normalizeUTF8NFKC(typed), '’', '\'')), 'ё', 'е') AS mistyped,
    if(lengthUTF8(mistyped) < 5, 1, 2) AS most_edits
SELECT word, editDistanceUTF8(word, mistyped) AS edits, videos, title_videos
FROM search_vocabulary
WHERE words = 1
    AND abs(toInt32(lengthUTF8(word)) - toInt32(lengthUTF8(mistyped))) <= most_edits
    AND edits <= most_edits
-- People seldom mistake the first letter.
ORDER BY edits, substringUTF8(word, 1, 1) != substringUTF8(mistyped, 1, 1), videos DESC, word
LIMIT 10;
