ALTER TABLE page_views MODIFY created_at DATE NOT NULL;
