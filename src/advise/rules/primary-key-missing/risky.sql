CREATE TABLE page_view_days (day DATE NOT NULL, user_id INT NOT NULL, views INT NOT NULL, KEY day (day));
