-- changes of release 8, table by table
ALTER TABLE entries ADD COLUMN level VARCHAR(16) NOT NULL DEFAULT 'NORMAL';

ALTER TABLE entries RENAME COLUMN came TO arrived;

ALTER TABLE rooms ADD COLUMN floor SMALLINT NOT NULL DEFAULT 0;

-- numbers start again each morning
CREATE SEQUENCE tickets START WITH 1 MAXVALUE 999 CYCLE;

CREATE TABLE calls (
    ticket INTEGER NOT NULL,
    room_id INTEGER NOT NULL REFERENCES rooms (id),
    called_at TIMESTAMP NOT NULL
);

-- who waits longest is asked every second
CREATE INDEX entries_waiting ON entries (arrived) WHERE room IS NULL;

CREATE VIEW waiting AS
SELECT ticket, level
FROM entries
WHERE room IS NULL
ORDER BY level, arrived;

UPDATE rooms
SET name = TRIM(name)
WHERE name LIKE ' %';

ALTER TABLE rooms ADD CONSTRAINT rooms_name_key UNIQUE (name);
