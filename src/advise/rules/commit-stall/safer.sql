UPDATE page_views SET url = CONCAT(LEFT(url, 180), '?') WHERE id > 0 AND id <= 10000;
UPDATE page_views SET url = CONCAT(LEFT(url, 180), '?') WHERE id > 10000 AND id <= 20000;
