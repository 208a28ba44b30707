UPDATE page_views SET user_id = 5 WHERE url = 'https://example.org/moved';
