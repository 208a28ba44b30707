-- What the rules' pairs of scripts run on.

CREATE TABLE customers (
  id BIGINT NOT NULL AUTO_INCREMENT,
  email VARCHAR(190) NOT NULL,
  country CHAR(2) NOT NULL,
  note VARCHAR(500) NULL,
  PRIMARY KEY (id),
  UNIQUE KEY email (email)
) ENGINE=InnoDB;

CREATE TABLE orders (
  id BIGINT NOT NULL AUTO_INCREMENT,
  customer_id BIGINT NOT NULL,
  status VARCHAR(20) NOT NULL,
  created_at DATETIME NOT NULL,
  PRIMARY KEY (id),
  KEY customer (customer_id),
  CONSTRAINT orders_customer FOREIGN KEY (customer_id) REFERENCES customers (id)
) ENGINE=InnoDB;

CREATE TABLE page_views (
  id BIGINT NOT NULL AUTO_INCREMENT,
  user_id INT NOT NULL,
  url VARCHAR(190) NOT NULL,
  created_at DATETIME NOT NULL,
  PRIMARY KEY (id),
  KEY user (user_id),
  KEY created (created_at)
) ENGINE=InnoDB;

CREATE TABLE order_items (
  id BIGINT NOT NULL AUTO_INCREMENT,
  order_id BIGINT NOT NULL,
  article VARCHAR(40) NOT NULL,
  quantity INT NOT NULL,
  PRIMARY KEY (id),
  KEY order_id (order_id),
  CONSTRAINT order_items_order FOREIGN KEY (order_id) REFERENCES orders (id) ON DELETE CASCADE
) ENGINE=InnoDB;

CREATE TABLE readings (
  id BIGINT NOT NULL AUTO_INCREMENT,
  taken DATE NOT NULL,
  value INT NOT NULL,
  PRIMARY KEY (id, taken)
) ENGINE=InnoDB
PARTITION BY RANGE COLUMNS (taken) (
  PARTITION p2025 VALUES LESS THAN ('2026-01-01'),
  PARTITION p2026 VALUES LESS THAN ('2027-01-01'),
  PARTITION pnext VALUES LESS THAN (MAXVALUE)
);

CREATE TRIGGER readings_range BEFORE INSERT ON readings FOR EACH ROW SET NEW.value = GREATEST(NEW.value, 0);
