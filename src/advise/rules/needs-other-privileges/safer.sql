DELETE FROM page_views WHERE id <= 5000;
