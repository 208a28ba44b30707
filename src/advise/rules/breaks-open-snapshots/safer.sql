DELETE FROM page_views WHERE id <= 10000;
