UPDATE page_views SET url = LOWER(url), user_id = user_id + 1 WHERE id > 0 AND id <= 10000;
UPDATE page_views SET url = LOWER(url), user_id = user_id + 1 WHERE id > 10000 AND id <= 20000;
UPDATE page_views SET url = LOWER(url), user_id = user_id + 1 WHERE id > 20000 AND id <= 30000;
