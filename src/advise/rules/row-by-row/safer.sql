UPDATE customers SET country = 'SE' WHERE id BETWEEN 1 AND 1000;
