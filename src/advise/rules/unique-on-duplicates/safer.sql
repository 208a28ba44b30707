ALTER TABLE customers ADD UNIQUE KEY email_country (email, country);
