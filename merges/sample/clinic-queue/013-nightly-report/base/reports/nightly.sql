-- Nightly report, reviewed 2030-11

WITH today AS (
    SELECT * FROM entries
    WHERE day = CURRENT_DATE
)

SELECT
    level,
    COUNT(*) AS patients,
    AVG(waited_minutes) AS mean
FROM today
GROUP BY level
HAVING COUNT(*) > 0
ORDER BY patients
LIMIT 10;

-- the head nurse reads it at seven
GRANT SELECT ON entries TO report;
