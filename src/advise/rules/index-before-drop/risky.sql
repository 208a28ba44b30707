ALTER TABLE page_views DROP INDEX user;
ALTER TABLE page_views ADD INDEX user_created (user_id, created_at);
