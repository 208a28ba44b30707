ANALYZE TABLE page_views;
