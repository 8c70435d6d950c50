"""The versions of the shop's schema, applied in order by Alembic."""
