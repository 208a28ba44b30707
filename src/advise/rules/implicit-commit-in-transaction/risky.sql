BEGIN;
UPDATE customers SET country = 'SE' WHERE id = 17;
ALTER TABLE customers ADD COLUMN region CHAR(2) NULL;
UPDATE customers SET region = 'AB' WHERE id = 17;
COMMIT;
