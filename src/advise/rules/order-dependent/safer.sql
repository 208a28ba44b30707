INSERT INTO page_views (user_id, url, created_at) SELECT customer_id, status, created_at FROM orders ORDER BY id;
