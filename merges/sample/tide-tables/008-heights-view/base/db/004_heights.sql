-- Predicted heights, one row for each ten minutes
CREATE TABLE height (
    station char(4) NOT NULL,
    at timestamp NOT NULL,
    metres real NOT NULL,
    model int NOT NULL,
    PRIMARY KEY (station, at, model)
);

CREATE VIEW newest_height AS
SELECT station, at, metres FROM height;

CREATE TABLE model (
    id int PRIMARY KEY,
    made timestamp NOT NULL,
    note text
);

INSERT INTO model (id, made) VALUES (1, '2023-11-04');
