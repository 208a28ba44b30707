UPDATE page_views SET url = RPAD(url, 190, '?');
