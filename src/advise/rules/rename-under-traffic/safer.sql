CREATE TABLE page_views_new LIKE page_views;
RENAME TABLE page_views TO page_views_old, page_views_new TO page_views;
