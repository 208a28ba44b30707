LOCK TABLES page_views WRITE;
UPDATE page_views SET user_id = user_id + 1;
UNLOCK TABLES;
