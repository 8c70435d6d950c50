"""The shop's operational store: customers and orders in PostgreSQL, carts in MongoDB, best sellers in Redis."""
