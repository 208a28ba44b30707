UPDATE customers SET note = UUID();
