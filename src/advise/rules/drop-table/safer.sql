RENAME TABLE page_views TO page_views_unused;
