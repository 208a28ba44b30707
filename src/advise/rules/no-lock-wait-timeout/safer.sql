SET SESSION lock_wait_timeout = 5;
ALTER TABLE customers ADD COLUMN region CHAR(2) NULL;
