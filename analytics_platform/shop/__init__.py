"""The shop's operational store: customers and orders in PostgreSQL, carts in MongoDB, best sellers in Redis.

`service.open_shop` is the way in; `catalogue` and `bulk` put in many at once; `schema.migrate` makes the tables.
"""
