SET @cleaning = CONCAT('DELETE FROM page_views', ' WHERE id < 10');
PREPARE cleaning FROM @cleaning;
EXECUTE cleaning;
DEALLOCATE PREPARE cleaning;
