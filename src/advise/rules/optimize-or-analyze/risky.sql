OPTIMIZE TABLE page_views;
