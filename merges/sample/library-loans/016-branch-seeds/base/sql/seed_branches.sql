-- Branches, sorted by code.
INSERT INTO branches (code, name, opens) VALUES
    ('all', 'Any branch', NULL),
    ('har', 'Harbour', '09:00'),
    ('van', 'Library van', '12:00');

UPDATE branches
SET pickup_days = 7
WHERE code <> 'all';

-- Notes for whoever runs this by hand,
-- after a look at the table:
--
-- * nothing to do yet
--
-- End of the notes.
-- The table is small.

VACUUM branches;
