DELETE FROM page_views WHERE id > 0 AND id <= 10000 AND user_id % 10 <> 0;
DELETE FROM page_views WHERE id > 10000 AND id <= 20000 AND user_id % 10 <> 0;
DELETE FROM page_views WHERE id > 20000 AND id <= 30000 AND user_id % 10 <> 0;
