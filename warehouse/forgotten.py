"""How many of the warehouse's rows belong to one person: for the certificate of an erasure."""

from uuid import UUID

import duckdb

from mychatflow.settings import Settings
from warehouse import connection, publish

_FILES = "marts-*.duckdb"
_TABLES = """
select schema_name || '.' || table_name from duckdb_columns()
where column_name = 'contact_id' and not internal and database_name = current_database()
    and (schema_name, table_name) in (select (schema_name, table_name) from duckdb_tables())
    and table_name not in ('erase_list', 'erased_contacts')
"""


def count(settings: Settings, tenant_id: UUID, contact_id: UUID) -> int:
    """Rows of that contact in the writer's own tables and in every published file."""
    published = [_in_file(str(path), tenant_id, contact_id) for path in publish.published_dir(settings).glob(_FILES)]
    if not connection.exists(settings):
        return sum(published)
    with connection.writer(settings) as warehouse:
        return _of_contact(warehouse, tenant_id, contact_id) + sum(published)


def _in_file(path: str, tenant_id: UUID, contact_id: UUID) -> int:
    with duckdb.connect(path, read_only=True) as warehouse:
        return _of_contact(warehouse, tenant_id, contact_id)


def _of_contact(warehouse: duckdb.DuckDBPyConnection, tenant_id: UUID, contact_id: UUID) -> int:
    tables = [str(name) for (name,) in warehouse.execute(_TABLES).fetchall()]
    question = "select count(*) from {} where tenant_id = ? and contact_id = ?"
    counts = [warehouse.execute(question.format(name), [tenant_id, contact_id]).fetchall() for name in tables]
    return sum(int(rows[0][0]) for rows in counts)
