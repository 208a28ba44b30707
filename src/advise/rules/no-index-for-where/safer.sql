ALTER TABLE page_views ADD INDEX url (url), ALGORITHM=INPLACE, LOCK=NONE;
UPDATE page_views SET user_id = 5 WHERE url = 'https://example.org/moved';
