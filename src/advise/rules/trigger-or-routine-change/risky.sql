DROP TRIGGER readings_range;
CREATE TRIGGER readings_range BEFORE INSERT ON readings FOR EACH ROW SET NEW.value = ABS(NEW.value);
