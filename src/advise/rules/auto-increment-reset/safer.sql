CREATE TABLE page_views_new LIKE page_views;
ALTER TABLE page_views_new AUTO_INCREMENT = 9000001;
RENAME TABLE page_views TO page_views_old, page_views_new TO page_views;
