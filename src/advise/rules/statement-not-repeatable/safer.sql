UPDATE orders SET status = 'archived' WHERE id <= 1000;
