SELECT COUNT(*) FROM orders LEFT JOIN customers ON customers.id = orders.customer_id WHERE customers.id IS NULL;
SET foreign_key_checks = 0;
ALTER TABLE orders ADD CONSTRAINT orders_payer FOREIGN KEY (customer_id) REFERENCES customers (id), ALGORITHM=INPLACE, LOCK=NONE;
SET foreign_key_checks = 1;
