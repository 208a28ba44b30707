UPDATE page_views SET url = RPAD(url, 190, '?') WHERE id > 0 AND id <= 2000;
UPDATE page_views SET url = RPAD(url, 190, '?') WHERE id > 2000 AND id <= 4000;
