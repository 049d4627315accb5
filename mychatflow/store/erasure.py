"""Forgets one person in every table at once; what the published totals are made of goes on under no name."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from mychatflow.store import cipher, stand_ins, tenants
from mychatflow.store.media_vault import MediaVault

# What names a person for other reasons: the list of the erased, the requests themselves, and who they are.
_KEPT: Final = frozenset({"erase_list", "erasures", "exports"})
# Looked up, so that a table made tomorrow is emptied too.
_TABLES: Final = text(
    """
    select class.relname as name, attribute.attname as by_column
    from pg_class as class
    join pg_namespace as space on space.oid = class.relnamespace and space.nspname = 'public'
    join pg_attribute as attribute on attribute.attrelid = class.oid and attribute.attnum > 0
        and not attribute.attisdropped and attribute.attname in ('contact_id', 'chat_id')
    where class.relkind in ('r', 'p') and not class.relispartition and class.relname <> 'contacts'
    order by class.relname, attribute.attname desc
    """
)
_PERSON: Final = text(
    """
    select id, wa_id, chat_id from contacts
    where tenant_id = :tenant_id
        and erased_at is null
        and :root_id in (id, merged_into_id)
    order by id
    for update
    """
)
# Whoever was merged into somebody is that person.
_ROOT: Final = text(
    "select coalesce(merged_into_id, id) from contacts where tenant_id = :tenant_id and id = :contact_id"
)
_IDENTITIES: Final = text(
    "select kind, value from contact_identities where tenant_id = :tenant_id and contact_id = any(:contact_ids)"
)
_MEDIA: Final = text("select id from media_files where tenant_id = :tenant_id and contact_id = any(:contact_ids)")
_FORGET: Final = text("delete from contacts where tenant_id = :tenant_id and id = any(:contact_ids)")
_LIST: Final = text(
    """
    insert into erase_list (tenant_id, contact_id, wa_hash, erased_at)
    values (:tenant_id, :contact_id, :wa_hash, :at)
    on conflict (tenant_id, wa_hash) do update set contact_id = excluded.contact_id, erased_at = excluded.erased_at
    """
)
# Whoever came after that backup is in no table of it, but the gateway still knows what they wrote.
_LIST_AGAIN: Final = text(
    """
    insert into erase_list (tenant_id, contact_id, wa_hash, erased_at)
    select known.tenant_id, '00000000-0000-0000-0000-000000000000', known.wa_hash, known.erased_at
    from unnest(cast(:tenant_ids as uuid[]), cast(:wa_hashes as text[]), cast(:erased_ats as timestamptz[]))
        as known (tenant_id, wa_hash, erased_at)
    inner join tenants on tenants.id = known.tenant_id and not tenants.is_on_legal_hold
    on conflict (tenant_id, wa_hash) do nothing
    """
)
_LISTED: Final = text("select tenant_id, contact_id, wa_hash, erased_at from erase_list order by erased_at, contact_id")
_PEOPLE: Final = text(
    """
    select tenant_id, id, wa_id, created_at from contacts
    where tenant_id = any(:tenant_ids) and erased_at is null and merged_into_id is null
    """
)
_DEAD_LETTERS: Final = """
    from dead_letters
    where session in (select session from instances where tenant_id = :tenant_id)
        and exists (select 1 from unnest(cast(:chats as text[])) as chat where strpos(message_id, chat) > 0)
"""


class OnLegalHold(Exception):
    """The law says that this tenant deletes nothing for now."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """One table's rows of the person: how many there were, are, and go on without a name."""

    before: int
    after: int
    anonymised: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Erased:
    """The certificate's facts. `wa_hashes` are the keyed hashes under which the person is known again."""

    tenant_id: UUID
    contact_id: UUID
    at: datetime
    tables: Mapping[str, Table]
    media_files: int
    wa_hashes: tuple[str, ...]

    def certificate(self) -> dict[str, Any]:
        return {
            "tenant_id": str(self.tenant_id),
            "contact_id": str(self.contact_id),
            "erased_at": self.at.isoformat(),
            "tables": {
                name: {"before": table.before, "after": table.after, "anonymised": table.anonymised}
                for name, table in self.tables.items()
            },
            "media_files": self.media_files,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class _Person:
    tenant_id: UUID
    contact_id: UUID
    # First the one that the others were merged into.
    contact_ids: list[UUID]
    chats: list[str]
    wa_hashes: tuple[str, ...]

    def values(self, **more: Any) -> dict[str, Any]:
        return {
            "tenant_id": self.tenant_id,
            "contact_id": self.contact_id,
            "contact_ids": self.contact_ids,
            "chats": self.chats,
            **more,
        }


async def files(transaction: AsyncConnection, tenant_id: UUID, contact_id: UUID, *, master: bytes) -> list[UUID]:
    """Those of that person, to be removed before the erasure (platform transaction). Raises OnLegalHold."""
    if await tenants.is_on_legal_hold(transaction, tenant_id):
        raise OnLegalHold
    person = await _find(transaction, tenant_id, contact_id, master=master)
    return [] if person is None else list((await transaction.execute(_MEDIA, person.values())).scalars())


async def erase(
    transaction: AsyncConnection,
    vault: MediaVault,
    tenant_id: UUID,
    contact_id: UUID,
    *,
    master: bytes,
    at: datetime,
    removed: Collection[UUID] = (),
) -> Erased | None:
    """Forget that person (platform transaction); None when there is no such contact. Raises OnLegalHold.

    `removed` are the files whose bytes are gone already.
    """
    if await tenants.is_on_legal_hold(transaction, tenant_id):
        raise OnLegalHold
    person = await _find(transaction, tenant_id, contact_id, master=master)
    if person is None:
        return None
    names = {(row.name, row.by_column) for row in await transaction.execute(_TABLES) if row.name not in _KEPT}
    before = await _counts(transaction, person, names)
    # Bytes first: a crash between leaves a row that a second request finds, never a file that nobody knows.
    media = list((await transaction.execute(_MEDIA, person.values())).scalars())
    vault.remove_these(tenant_id, [media_id for media_id in media if media_id not in removed])
    anonymised = await stand_ins.take_over(transaction, tenant_id, person.contact_ids, at=at)
    await _delete(transaction, person, names)
    for wa_hash in person.wa_hashes:
        await transaction.execute(_LIST, person.values(wa_hash=wa_hash, at=at))
    after = await _counts(transaction, person, names)
    tables = {
        name: Table(before=count, after=after[name], anonymised=anonymised.get(name, 0))
        for name, count in sorted(before.items())
    }
    return Erased(
        tenant_id=tenant_id,
        contact_id=contact_id,
        at=at,
        tables=tables,
        media_files=len(media),
        wa_hashes=person.wa_hashes,
    )


async def listed(transaction: AsyncConnection) -> list[Mapping[str, Any]]:
    """Everybody who was erased, by the keyed hash of their WhatsApp id (platform transaction)."""
    return [dict(row) for row in (await transaction.execute(_LISTED)).mappings()]


async def list_again(transaction: AsyncConnection, known: Mapping[tuple[UUID, str], datetime]) -> None:
    """Have whomever another list names on ours, of tenants without a hold (platform transaction)."""
    columns = {
        "tenant_ids": [tenant_id for tenant_id, _ in known],
        "wa_hashes": [wa_hash for _, wa_hash in known],
        "erased_ats": list(known.values()),
    }
    await transaction.execute(_LIST_AGAIN, columns)


async def people_before(
    transaction: AsyncConnection, known: Mapping[tuple[UUID, str], datetime], *, master: bytes
) -> list[tuple[UUID, UUID]]:
    """Contacts who are older than their own erasure: a restored backup brought them back (platform transaction)."""
    tenants = sorted({tenant_id for tenant_id, _ in known})
    rows = await transaction.execute(_PEOPLE, {"tenant_ids": tenants})
    found = []
    for row in rows:
        erased_at = known.get((row.tenant_id, cipher.wa_hash(master, row.tenant_id, row.wa_id)))
        if erased_at is not None and row.created_at < erased_at:
            found.append((row.tenant_id, row.id))
    return found


async def _find(transaction: AsyncConnection, tenant_id: UUID, contact_id: UUID, *, master: bytes) -> _Person | None:
    root_id = await transaction.scalar(_ROOT, {"tenant_id": tenant_id, "contact_id": contact_id})
    rows = (await transaction.execute(_PERSON, {"tenant_id": tenant_id, "root_id": root_id})).all()
    if contact_id not in {row.id for row in rows}:
        return None
    ids = sorted((row.id for row in rows), key=lambda each: each != root_id)
    known = await transaction.execute(_IDENTITIES, {"tenant_id": tenant_id, "contact_ids": ids})
    chats = {name for row in rows for name in (row.wa_id, row.chat_id)} | {_chat(row.kind, row.value) for row in known}
    # All the ids the person had: a restored backup may know them by one that was merged away.
    hashes = sorted({cipher.wa_hash(master, tenant_id, chat) for chat in chats if not chat.startswith("merged:")})
    return _Person(
        tenant_id=tenant_id, contact_id=contact_id, contact_ids=ids, chats=sorted(chats), wa_hashes=tuple(hashes)
    )


def _chat(kind: str, value: str) -> str:
    return value if "@" in value else f"{value.lstrip('+')}@{'lid' if kind == 'lid' else 'c.us'}"


async def _counts(transaction: AsyncConnection, person: _Person, names: set[tuple[str, str]]) -> dict[str, int]:
    found = {name: await _count(transaction, person, f"from {name} where {_theirs(names, name)}") for name, _ in names}
    people = "from contacts where tenant_id = :tenant_id and id = any(:contact_ids)"
    return found | {
        "contacts": await _count(transaction, person, people),
        "dead_letters": await _count(transaction, person, _DEAD_LETTERS),
    }


async def _count(transaction: AsyncConnection, person: _Person, rows: str) -> int:
    return int((await transaction.execute(text(f"select count(*) {rows}"), person.values())).scalar_one())


async def _delete(transaction: AsyncConnection, person: _Person, names: set[tuple[str, str]]) -> None:
    for name in sorted({name for name, _ in names} - stand_ins.KEEPS.keys()):
        await transaction.execute(text(f"delete from {name} where {_theirs(names, name)}"), person.values())  # noqa: S608
    await transaction.execute(text(f"delete {_DEAD_LETTERS}"), person.values())
    await transaction.execute(_FORGET, person.values())


def _theirs(names: set[tuple[str, str]], table: str) -> str:
    ways = {"contact_id": "contact_id = any(:contact_ids)", "chat_id": "chat_id = any(:chats)"}
    either = " or ".join(ways[column] for name, column in sorted(names) if name == table)
    return f"tenant_id = :tenant_id and ({either})"
