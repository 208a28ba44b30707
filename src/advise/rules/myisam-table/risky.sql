CREATE TABLE page_view_totals (user_id INT NOT NULL PRIMARY KEY, views BIGINT NOT NULL) ENGINE=MyISAM;
INSERT INTO page_view_totals SELECT user_id, COUNT(*) FROM page_views GROUP BY user_id;
