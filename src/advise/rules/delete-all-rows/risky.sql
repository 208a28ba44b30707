DELETE FROM page_views;
