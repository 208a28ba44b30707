CREATE TRIGGER readings_positive BEFORE INSERT ON readings FOR EACH ROW SET NEW.value = ABS(NEW.value);
DROP TRIGGER readings_range;
