ALTER TABLE orders ADD CONSTRAINT orders_payer FOREIGN KEY (customer_id) REFERENCES customers (id);
