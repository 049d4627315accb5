"""How Alembic reaches the database: as the owner role, one transaction for all pending migrations."""

from alembic import context
from sqlalchemy import create_engine, pool

url: str = context.config.attributes["url"]

with create_engine(url, poolclass=pool.NullPool).connect() as connection:
    # psycopg prepares repeated statements, and a prepared statement cannot hold DDL for long.
    context.configure(connection=connection, transaction_per_migration=False)
    with context.begin_transaction():
        context.run_migrations()
