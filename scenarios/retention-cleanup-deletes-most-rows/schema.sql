-- What a retention job keeps: a log of visits, nine tenths of which are past their time.

CREATE TABLE visits (
  id bigint NOT NULL AUTO_INCREMENT,
  user_id int NOT NULL,
  url varchar(190) NOT NULL,
  created_at datetime NOT NULL,
  hits int NOT NULL DEFAULT 0,
  PRIMARY KEY (id),
  KEY visits_user (user_id),
  KEY visits_created (created_at)
) ENGINE=InnoDB;
