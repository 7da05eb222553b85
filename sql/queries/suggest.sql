-- Which words of the library, or pairs of words, start with some letters?
WITH (SELECT substringUTF8(argMax(word, (videos, word)), 1, 2) FROM search_vocabulary) AS typed  -- or 'робл'
SELECT word, videos, title_videos
FROM search_vocabulary
WHERE startsWith(word, replaceAll(lowerUTF8(replaceAll(normalizeUTF8NFKC(typed), '’', '\'')), 'ё', 'е'))
ORDER BY title_videos DESC, videos DESC, word
LIMIT 10;
