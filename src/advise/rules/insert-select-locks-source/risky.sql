CREATE TABLE visits (user_id INT NOT NULL PRIMARY KEY, views BIGINT NOT NULL) ENGINE=InnoDB;
INSERT INTO visits SELECT user_id, COUNT(*) FROM page_views GROUP BY user_id;
