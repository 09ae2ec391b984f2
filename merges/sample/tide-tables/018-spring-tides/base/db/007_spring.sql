-- Spring and neap tides of the next two years
ALTER TABLE station ADD COLUMN mean_spring numeric(5, 3);
ALTER TABLE station ADD COLUMN mean_neap numeric(5, 3);

UPDATE station SET mean_spring = 3.21 WHERE code = 'SKAR';
UPDATE station SET mean_spring = 1.87 WHERE code = 'VEND';
UPDATE station SET mean_spring = 0.94 WHERE code = 'OLDE';


DELETE FROM height WHERE model < 4;
DELETE FROM model WHERE id < 4;

UPDATE setting SET value = 'spring,neap' WHERE name = 'columns';
UPDATE setting SET value = '6' WHERE name = 'schema';
