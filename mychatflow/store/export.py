"""A copy of all that is kept of one person, or of a whole tenant: a zip of JSON lines and CSV, and the files."""

import asyncio
import csv
import io
import json
import zipfile
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, BinaryIO, Final
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from mychatflow.rules import spreadsheet
from mychatflow.store import sealed_media
from mychatflow.store.cipher import TenantCipher, Unreadable
from mychatflow.store.media_vault import MediaVault

# Copies of what another table holds, secrets, and how we work inside: no part of anybody's data.
_LEFT_OUT: Final = frozenset(
    {
        "alembic_version", "api_keys", "campaign_paces", "catch_up_progress", "chat_leases", "contact_imports",
        "document_uploads", "erase_list", "exports", "idempotency_keys", "inbox", "message_status_events", "outbox",
        "passage_vectors",
        "tenant_keys", "webhook_deliveries",
    }
)  # fmt: skip
_INNER_COLUMNS: Final = frozenset(
    {
        "tenant_id", "ingested_xid", "first_xid", "token_hashes", "qr_code",
        "secret", "previous_secret", "webhook_secret", "api_key", "sealed_key",
    }
)  # fmt: skip
_BATCH: Final = 500
# Looked up, so that a table made tomorrow is in the copy too.
_TABLES: Final = text(
    """
    select class.relname as name,
        bool_or(attribute.attname = 'contact_id') as has_contact,
        array_agg(attribute.attname::text order by attribute.attnum) as columns
    from pg_class as class
    join pg_namespace as space on space.oid = class.relnamespace and space.nspname = 'public'
    join pg_attribute as attribute on attribute.attrelid = class.oid and attribute.attnum > 0
        and not attribute.attisdropped
    where class.relkind in ('r', 'p') and not class.relispartition
        and has_table_privilege(class.oid, 'select')
    group by class.relname
    having bool_or(attribute.attname = 'tenant_id')
    order by class.relname
    """
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Exported:
    """How many rows of each table the copy holds, and how many files."""

    rows: Mapping[str, int]
    media_files: int


@dataclass(frozen=True, slots=True, kw_only=True)
class _Table:
    name: str
    columns: tuple[str, ...]
    by: str = field(default="tenant_id = :tenant_id")


async def write(
    transaction: AsyncConnection,
    target: BinaryIO,
    tenant_id: UUID,
    *,
    cipher: TenantCipher,
    vault: MediaVault,
    contact_id: UUID | None = None,
    at: datetime,
) -> Exported:
    """Write the zip (tenant transaction); a row at a time, so that a large tenant needs no large machine."""
    values = {"tenant_id": tenant_id, "contact_id": contact_id}
    counts: dict[str, int] = {}
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for table in await _tables(transaction, contact_id):
            counts[table.name] = await _write_json(transaction, archive, table, values, cipher)
            if counts[table.name]:
                await _write_csv(transaction, archive, table, values, cipher)
        files = await _write_media(transaction, archive, values, cipher, vault)
        about = {
            "tenant_id": str(tenant_id),
            "contact_id": str(contact_id) if contact_id else None,
            "exported_at": at.isoformat(),
            "rows": counts,
            "media_files": files,
        }
        archive.writestr("about.json", json.dumps(about, indent=2))
    return Exported(rows=counts, media_files=files)


async def _tables(transaction: AsyncConnection, contact_id: UUID | None) -> list[_Table]:
    found = []
    for row in await transaction.execute(_TABLES):
        if row.name in _LEFT_OUT or (contact_id is not None and not row.has_contact and row.name != "contacts"):
            continue
        columns = tuple(name for name in row.columns if name not in _INNER_COLUMNS)
        by = "tenant_id = :tenant_id"
        if contact_id is not None:
            by += " and id = :contact_id" if row.name == "contacts" else " and contact_id = :contact_id"
        found.append(_Table(name=row.name, columns=columns, by=by))
    return found


async def _rows(
    transaction: AsyncConnection, table: _Table, values: Mapping[str, Any], cipher: TenantCipher
) -> AsyncIterator[dict[str, Any]]:
    names = ", ".join(f'"{name}"' for name in table.columns)
    statement = text(f"select {names} from {table.name} where {table.by}")  # noqa: S608 - from the catalog
    result = await transaction.stream(statement, values, execution_options={"yield_per": _BATCH})
    async for row in result.mappings():
        yield {name: _opened(value, row.get("id", ""), cipher) for name, value in row.items()}


def _opened(value: Any, row_id: UUID | int | str, cipher: TenantCipher) -> Any:
    """Sealed text is bound to its row's id; what does not open is no text of that person's."""
    try:
        match value:
            case bytes() | memoryview():
                return cipher.decrypt(bytes(value), row_id=row_id)
            case dict() if isinstance(row_id, UUID):
                return sealed_media.opened(value, cipher, row_id=row_id)
            case _:
                return value
    except Unreadable:
        return None


async def _write_json(
    transaction: AsyncConnection,
    archive: zipfile.ZipFile,
    table: _Table,
    values: Mapping[str, Any],
    cipher: TenantCipher,
) -> int:
    count = 0
    with archive.open(f"{table.name}.jsonl", "w", force_zip64=True) as file:
        async for row in _rows(transaction, table, values, cipher):
            file.write((json.dumps(row, default=str, ensure_ascii=False) + "\n").encode())
            count += 1
    return count


async def _write_csv(
    transaction: AsyncConnection,
    archive: zipfile.ZipFile,
    table: _Table,
    values: Mapping[str, Any],
    cipher: TenantCipher,
) -> None:
    with (
        archive.open(f"{table.name}.csv", "w", force_zip64=True) as file,
        # A mark, so that spreadsheets read accents.
        io.TextIOWrapper(file, "utf-8-sig", newline="") as words,
    ):
        writer = csv.writer(words)
        writer.writerow(table.columns)
        async for row in _rows(transaction, table, values, cipher):
            writer.writerow(_cells(row, table.columns))


def _cells(row: Mapping[str, Any], columns: Sequence[str]) -> Iterator[Any]:
    for name in columns:
        value = row[name]
        if isinstance(value, dict | list):
            value = json.dumps(value, default=str, ensure_ascii=False)
        yield spreadsheet.defused(str(value)) if value is not None and not isinstance(value, int | float) else value


async def _write_media(
    transaction: AsyncConnection,
    archive: zipfile.ZipFile,
    values: Mapping[str, Any],
    cipher: TenantCipher,
    vault: MediaVault,
) -> int:
    whose = "tenant_id = :tenant_id" + (" and contact_id = :contact_id" if values["contact_id"] else "")
    found = await transaction.execute(text(f"select id from media_files where {whose} order by id"), values)  # noqa: S608
    count = 0
    for media_id in found.scalars():
        try:
            data = await asyncio.to_thread(vault.load, cipher, media_id)
        except Unreadable:
            # One damaged file is no reason to keep all the others from whoever asks.
            continue
        if data is not None:
            archive.writestr(f"media/{media_id}", data)
            count += 1
    return count
