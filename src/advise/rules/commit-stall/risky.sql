UPDATE page_views SET url = CONCAT(LEFT(url, 180), '?');
