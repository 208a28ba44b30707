ALTER TABLE customers ADD UNIQUE KEY one_a_country (country);
