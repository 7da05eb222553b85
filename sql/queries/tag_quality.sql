-- How well are tags learnt from the catalogue's own, against the likest video and a constant answer?
SELECT split, method, scope, round(iou, 3) AS iou, round(precision, 3) AS precision,
    round(recall, 3) AS recall, tags, videos, evaluated_on
FROM tag_evaluation
ORDER BY split, scope, method;
