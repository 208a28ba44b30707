UPDATE page_views SET user_id = user_id + 1 WHERE id > 0 AND id <= 10000;
