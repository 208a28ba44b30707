TRUNCATE TABLE page_views;
