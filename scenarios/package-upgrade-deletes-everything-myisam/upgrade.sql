-- The upgrade of a package from schema 41 to 42, as its installer sends it on the first page load after the new files are in
-- place. A general log holds just these statements; the comments and names were added by hand.

USE zdz;

SELECT value FROM settings WHERE name = 'schema_version';

SHOW TABLES LIKE 'tracking';

SELECT COLUMN_NAME, COLUMN_TYPE FROM information_schema.COLUMNS
 WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME = 'posts' ORDER BY ORDINAL_POSITION;

-- rehearse: name maintenance-on
INSERT INTO settings (name, value) VALUES ('maintenance', '1') ON DUPLICATE KEY UPDATE value = VALUES(value);

-- rehearse: name users-add-timezone
ALTER TABLE users ADD COLUMN timezone varchar(64) NOT NULL DEFAULT 'UTC';

-- rehearse: name posts-add-slug
ALTER TABLE posts ADD COLUMN slug varchar(80) NOT NULL DEFAULT '';

-- rehearse: name posts-index-status
ALTER TABLE posts ADD INDEX posts_status (status, created_at);

-- rehearse: name votes-widen-id
ALTER TABLE votes MODIFY id bigint NOT NULL AUTO_INCREMENT;

-- rehearse: name posts-fill-slug
UPDATE posts SET slug = CONCAT('post-', id);

-- The new version counts page views elsewhere: "start with an empty table".
-- rehearse: name tracking-delete
DELETE FROM tracking;

-- rehearse: name tracking-add-referrer
ALTER TABLE tracking ADD COLUMN referrer varchar(255) DEFAULT NULL;

INSERT IGNORE INTO settings (name, value, autoload) VALUES ('tracking_sample_rate', '0.1', 1), ('tracking_keep_days', '30', 0);

-- rehearse: name version-bump
UPDATE settings SET value = '42' WHERE name = 'schema_version';

DELETE FROM settings WHERE name = 'maintenance';
