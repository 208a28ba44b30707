INSERT INTO customers (email, country)
SELECT CONCAT('user-', id, '@example.org'), 'SE' FROM page_views WHERE id > 0 AND id <= 5000 ORDER BY id;
INSERT INTO customers (email, country)
SELECT CONCAT('user-', id, '@example.org'), 'SE' FROM page_views WHERE id > 5000 AND id <= 10000 ORDER BY id;
