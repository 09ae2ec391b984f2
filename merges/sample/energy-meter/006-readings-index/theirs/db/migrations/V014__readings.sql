-- Readings of a quarter of an hour, one row each
CREATE TABLE reading (
    meter_id   varchar(16) NOT NULL,
    taken_at   timestamp   NOT NULL,
    watt_hours bigint      NOT NULL,
    origin     varchar(8)  NOT NULL,
    PRIMARY KEY (meter_id, taken_at)
);

-- the nightly bill reads one origin at a time
CREATE INDEX reading_by_origin ON reading (origin, taken_at, meter_id);

CREATE TABLE meter (
    id        varchar(16) PRIMARY KEY,
    household bigint      NOT NULL,
    kind      varchar(12) NOT NULL,
    mounted   date        NOT NULL CHECK (mounted > '1990-01-01')
);
