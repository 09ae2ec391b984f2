-- Nightly report, reviewed 2031-03

WITH today AS (
    SELECT * FROM entries
    WHERE day = CURRENT_DATE AND room IS NOT NULL
)

SELECT
    level,
    COUNT(*) AS patients,
    ROUND(AVG(waited_minutes)) AS mean
FROM today
GROUP BY level
HAVING COUNT(*) > 0
ORDER BY patients
LIMIT 10;

-- the head nurse reads it at seven
GRANT SELECT ON entries TO report;
GRANT SELECT ON rooms TO report;
