ALTER TABLE customers ADD COLUMN region CHAR(2) NULL;
BEGIN;
UPDATE customers SET country = 'SE' WHERE id = 17;
UPDATE customers SET region = 'AB' WHERE id = 17;
COMMIT;
