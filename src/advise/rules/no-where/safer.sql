UPDATE customers SET country = 'SE' WHERE id = 17;
