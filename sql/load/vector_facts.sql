-- A batch's vectors by model and dimension. A norm that is not finite says that a value is not.
SELECT
    model,
    length(embedding) AS dimension,
    count() AS vectors,
    minOrNullIf(L2Norm(embedding) AS norm, isFinite(norm)) AS least_norm,
    maxOrNullIf(norm, isFinite(norm)) AS greatest_norm,
    countIf(NOT isFinite(norm)) AS not_finite,
    countIf(isFinite(norm) AND abs(norm - 1) > {tolerance:Float64}) AS not_unit
FROM $table
WHERE batch = {batch:String}
GROUP BY model, dimension
ORDER BY model, vectors DESC, dimension;
