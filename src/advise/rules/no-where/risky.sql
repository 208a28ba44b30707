UPDATE customers SET country = 'SE';
