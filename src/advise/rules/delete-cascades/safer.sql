BEGIN;
DELETE FROM order_items WHERE order_id > 2000 AND order_id <= 2500;
DELETE FROM orders WHERE id > 2000 AND id <= 2500;
COMMIT;
