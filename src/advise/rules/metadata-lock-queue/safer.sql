SET SESSION lock_wait_timeout = 1;
ALTER TABLE page_views ADD COLUMN referrer VARCHAR(190) NULL;
