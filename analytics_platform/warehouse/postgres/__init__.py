"""The warehouse in PostgreSQL. Code outside this folder uses it as a `warehouse.Session` only."""
