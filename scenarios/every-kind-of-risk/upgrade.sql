-- Twelve statements, each with a risk of its own.

-- rehearse: name empty-views
DELETE FROM page_views;

-- rehearse: name widen-total
ALTER TABLE orders MODIFY total bigint NOT NULL;

-- rehearse: name close-orders
UPDATE orders SET status = 'closed' WHERE total < 500000;

-- rehearse: name count-visits
INSERT INTO visits_by_user (user_id, views) SELECT customer_id, COUNT(*) FROM orders GROUP BY customer_id;

-- rehearse: name convert-articles
ALTER TABLE articles CONVERT TO CHARACTER SET utf8mb4;

-- rehearse: name drop-phone
ALTER TABLE customers DROP COLUMN phone;

-- rehearse: name fewer-views
ALTER TABLE visits_by_user MODIFY views smallint NOT NULL;

-- rehearse: name drop-log
DROP TABLE import_log;

-- rehearse: name no-key-table
CREATE TABLE audit (happened datetime NOT NULL, what varchar(100) NOT NULL) ENGINE=InnoDB;

-- rehearse: name tidy-orders
OPTIMIZE TABLE orders;

-- rehearse: name rename-visits
RENAME TABLE visits_by_user TO visits;

-- rehearse: name random-token
UPDATE customers SET note = UUID() WHERE id <= 1000;
