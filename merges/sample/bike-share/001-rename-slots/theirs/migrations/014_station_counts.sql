-- What the map needs of a station, without its rides.
CREATE VIEW station_counts AS
SELECT
    s.code,
    s.name,
    s.dock_count AS docks,
    max(b.moved_at) AS moved_at,
    count(b.id) AS bikes
FROM station AS s
LEFT JOIN bike AS b ON b.station_code = s.code
GROUP BY s.code;
