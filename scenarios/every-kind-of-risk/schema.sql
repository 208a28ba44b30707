-- A small shop: enough tables for each kind of risk to show once.

CREATE TABLE customers (
  id bigint NOT NULL AUTO_INCREMENT,
  email varchar(190) NOT NULL,
  phone varchar(20) NULL,
  country char(2) NOT NULL,
  note varchar(200) NULL,
  PRIMARY KEY (id),
  UNIQUE KEY customers_email (email)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4;

CREATE TABLE orders (
  id int NOT NULL AUTO_INCREMENT,
  customer_id bigint NOT NULL,
  status varchar(20) NOT NULL,
  total int NOT NULL,
  created_at datetime NOT NULL,
  PRIMARY KEY (id),
  KEY orders_customer (customer_id),
  KEY orders_status (status),
  CONSTRAINT orders_of_customer FOREIGN KEY (customer_id) REFERENCES customers (id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4;

CREATE TABLE page_views (
  id bigint NOT NULL AUTO_INCREMENT,
  user_id int NOT NULL,
  url varchar(190) NOT NULL,
  created_at datetime NOT NULL,
  PRIMARY KEY (id),
  KEY page_views_user (user_id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4;

CREATE TABLE visits_by_user (
  id bigint NOT NULL AUTO_INCREMENT,
  user_id int NOT NULL,
  views int NOT NULL,
  PRIMARY KEY (id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4;

CREATE TABLE articles (
  id bigint NOT NULL AUTO_INCREMENT,
  slug varchar(100) CHARACTER SET latin1 NOT NULL,
  body varchar(500) CHARACTER SET latin1 NOT NULL,
  PRIMARY KEY (id),
  KEY articles_slug (slug)
) ENGINE=InnoDB DEFAULT CHARSET=latin1;

CREATE TABLE import_log (
  id bigint NOT NULL AUTO_INCREMENT,
  line varchar(100) NOT NULL,
  PRIMARY KEY (id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4;
