BEGIN;
INSERT INTO orders (customer_id, status, created_at) VALUES (17, 'new', NOW());
UPDATE customers SET note = 'ordered' WHERE id = 17;
COMMIT;
