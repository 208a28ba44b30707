-- A developer site, as its package left it before the upgrade: schema version 41.

CREATE DATABASE zdz DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_general_ci;
USE zdz;

CREATE TABLE users (
  id int unsigned NOT NULL AUTO_INCREMENT,
  login varchar(60) NOT NULL,
  email varchar(190) NOT NULL,
  password_hash char(60) NOT NULL,
  display_name varchar(120) NOT NULL DEFAULT '',
  karma int NOT NULL DEFAULT 0,
  is_banned tinyint(1) NOT NULL DEFAULT 0,
  created_at datetime NOT NULL,
  last_seen_at datetime DEFAULT NULL,
  PRIMARY KEY (id),
  UNIQUE KEY users_login (login),
  UNIQUE KEY users_email (email),
  KEY users_last_seen (last_seen_at)
) ENGINE=InnoDB;

CREATE TABLE posts (
  id bigint unsigned NOT NULL AUTO_INCREMENT,
  user_id int unsigned NOT NULL,
  parent_id bigint unsigned DEFAULT NULL,
  status enum('draft','published','hidden') NOT NULL DEFAULT 'published',
  title varchar(200) NOT NULL DEFAULT '',
  excerpt varchar(500) NOT NULL DEFAULT '',
  score int NOT NULL DEFAULT 0,
  comment_count int NOT NULL DEFAULT 0,
  created_at datetime NOT NULL,
  updated_at datetime DEFAULT NULL,
  PRIMARY KEY (id),
  KEY posts_user (user_id, created_at),
  KEY posts_parent (parent_id),
  CONSTRAINT posts_user_fk FOREIGN KEY (user_id) REFERENCES users (id)
) ENGINE=InnoDB;

CREATE TABLE tags (
  id int unsigned NOT NULL AUTO_INCREMENT,
  name varchar(64) NOT NULL,
  PRIMARY KEY (id),
  UNIQUE KEY tags_name (name)
) ENGINE=InnoDB;

CREATE TABLE post_tags (
  post_id bigint unsigned NOT NULL,
  tag_id int unsigned NOT NULL,
  PRIMARY KEY (post_id, tag_id),
  KEY post_tags_tag (tag_id),
  CONSTRAINT post_tags_post_fk FOREIGN KEY (post_id) REFERENCES posts (id) ON DELETE CASCADE,
  CONSTRAINT post_tags_tag_fk FOREIGN KEY (tag_id) REFERENCES tags (id) ON DELETE CASCADE
) ENGINE=InnoDB;

CREATE TABLE votes (
  id int NOT NULL AUTO_INCREMENT,
  post_id bigint unsigned NOT NULL,
  user_id int unsigned NOT NULL,
  weight int NOT NULL DEFAULT 1,
  voted_at datetime NOT NULL,
  PRIMARY KEY (id),
  KEY votes_post (post_id),
  KEY votes_user (user_id)
) ENGINE=InnoDB;

CREATE TABLE settings (
  name varchar(100) NOT NULL,
  value mediumtext NOT NULL,
  autoload tinyint(1) NOT NULL DEFAULT 1,
  PRIMARY KEY (name)
) ENGINE=InnoDB;

INSERT INTO settings (name, value) VALUES ('schema_version', '41'), ('tracking_enabled', '1'), ('site_name', 'zdz');

-- One row for each page that a logged-in user ever opened. Nobody has looked at it for years.
CREATE TABLE tracking (
  id bigint unsigned NOT NULL AUTO_INCREMENT,
  user_id int unsigned NOT NULL,
  url varchar(255) NOT NULL,
  created_at datetime NOT NULL,
  PRIMARY KEY (id),
  KEY tracking_user (user_id),
  KEY tracking_created (created_at)
) ENGINE=InnoDB;
