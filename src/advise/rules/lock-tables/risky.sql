LOCK TABLES customers WRITE;
UPDATE customers SET country = 'SE' WHERE id = 17;
UNLOCK TABLES;
