"""The shop's operational store: customers and orders in PostgreSQL, carts in MongoDB, best sellers in Redis.

`service.open_shop` opens it; `catalogue` adds products and customers; `schema.migrate` makes the tables.
"""
