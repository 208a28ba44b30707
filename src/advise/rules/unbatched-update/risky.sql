UPDATE page_views SET url = LOWER(url), user_id = user_id + 1;
