DELETE FROM page_views WHERE user_id % 10 <> 0;
