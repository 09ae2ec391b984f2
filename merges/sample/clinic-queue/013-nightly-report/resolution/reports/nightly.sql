-- Nightly report, reviewed 2031-06

WITH today AS (
    SELECT * FROM entries
    WHERE day = CURRENT_DATE - 1 AND room IS NOT NULL
)

SELECT
    level,
    COUNT(*) AS patients,
    ROUND(AVG(waited_minutes)) AS mean,
    MAX(waited_minutes) AS longest
FROM today
GROUP BY level
HAVING COUNT(*) > 0
ORDER BY patients DESC
LIMIT 10;

-- the head nurse reads it at seven
GRANT SELECT ON entries TO report;
GRANT SELECT ON rooms TO report;
