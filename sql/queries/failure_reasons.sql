-- What are the commonest reasons why videos fail?
SELECT
    failure_kind,
    -- Numbers differ from file to file; the reason is the text around them.
    replaceRegexpAll(error, '[0-9]+', 'N') AS reason,
    count() AS videos,
    any(uri) AS example
FROM failures
GROUP BY failure_kind, reason
ORDER BY videos DESC, reason
LIMIT 50;
