INSERT INTO customers (email, country) SELECT CONCAT('user-', id, '@example.org'), 'SE' FROM page_views ORDER BY id;
