UPDATE customers SET note = SHA2(CONCAT('salt', id), 256);
