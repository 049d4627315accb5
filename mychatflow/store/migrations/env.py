"""How Alembic reaches the database: as the owner role, one transaction for all pending migrations."""

from alembic import context
from sqlalchemy import create_engine, pool, text

url: str = context.config.attributes["url"]

with create_engine(url, poolclass=pool.NullPool).connect() as connection:
    # psycopg prepares repeated statements, and a prepared statement cannot hold DDL for long.
    context.configure(connection=connection, transaction_per_migration=False)
    with context.begin_transaction():
        # Whoever comes after us for a table waits behind us, also while we only wait ourselves. And less than the second
        # after which Postgres looks for a deadlock: it could end a program's transaction in place of ours.
        connection.execute(text("set local lock_timeout = '500ms'"))
        context.run_migrations()
