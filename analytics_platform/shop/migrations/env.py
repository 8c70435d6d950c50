"""What Alembic runs for each command: the versions, in one transaction, on the connection it is given."""

from alembic import context

context.configure(
    connection=context.config.attributes["connection"],
    version_table="schema_version",
    version_table_schema="shop",
)
with context.begin_transaction():
    context.run_migrations()
