UPDATE orders SET created_at = created_at + INTERVAL 1 HOUR WHERE id <= 1000;
