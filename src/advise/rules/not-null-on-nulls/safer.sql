UPDATE customers SET note = '' WHERE note IS NULL AND id > 0 AND id <= 10000;
UPDATE customers SET note = '' WHERE note IS NULL AND id > 10000;
ALTER TABLE customers MODIFY note VARCHAR(500) NOT NULL;
