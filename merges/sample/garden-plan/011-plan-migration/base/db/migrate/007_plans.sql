-- 007: plans are kept per season
CREATE TABLE plans (
    id INTEGER PRIMARY KEY,
    garden_id INTEGER NOT NULL REFERENCES gardens (id),
    season TEXT NOT NULL,
    made_at TEXT NOT NULL
);

CREATE INDEX plans_by_garden ON plans (garden_id, season);

INSERT INTO plans (garden_id, season, made_at)
SELECT id, '2030', created_at
FROM gardens
WHERE archived = 0;

DROP TABLE seasons_old;

-- what the start page counts
CREATE VIEW plan_counts AS
SELECT garden_id, COUNT(*) AS plans
FROM plans
GROUP BY garden_id;
