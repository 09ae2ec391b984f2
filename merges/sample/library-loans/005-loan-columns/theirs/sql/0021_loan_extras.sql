-- Extras that the desk asked for.
ALTER TABLE loans
    ADD COLUMN desk text,
    ADD COLUMN damaged boolean NOT NULL DEFAULT false,
    ADD COLUMN note text;

UPDATE loans
SET note = ''
WHERE note IS NULL;

CREATE INDEX loans_due ON loans (due);
CREATE INDEX loans_reader ON loans (reader);
CREATE INDEX loans_medium ON loans (medium_id);

-- For the inspection on Mondays.
CREATE VIEW inspection AS
SELECT medium_id, note, damaged
FROM loans
WHERE note <> ''
ORDER BY medium_id;

GRANT SELECT ON inspection TO desk, workshop;
