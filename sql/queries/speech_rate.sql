-- Who speaks fastest: how many words a minute, and for what share of the video?
SELECT
    video_id,
    any(v.title) AS title,
    sum(length(splitByWhitespace(s.text))) AS words,
    round(sum(s.end_s - s.start_s), 1) AS spoken_s,
    round(words / spoken_s * 60) AS words_a_minute,
    round(spoken_s / any(v.duration_s), 2) AS share_spoken
FROM asr_segments AS s
INNER JOIN videos AS v USING (video_id)
GROUP BY video_id
HAVING spoken_s > 0
ORDER BY words_a_minute DESC, video_id
LIMIT 50;
