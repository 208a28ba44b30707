BEGIN;
SELECT country FROM customers WHERE id = 17 FOR UPDATE;
UPDATE customers SET country = 'SE' WHERE id = 17;
COMMIT;
