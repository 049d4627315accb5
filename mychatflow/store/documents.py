"""Documents that the agent answers from: taken in at once, read by a worker, cut into passages, versioned."""

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from mychatflow.events import named_id
from mychatflow.rules.passages import Cut
from mychatflow.store.cipher import TenantCipher

MOST_DOCUMENTS: Final = 500
# A worker that died over a document gives it back after this long.
_LEASE: Final = timedelta(minutes=5)
MOST_ATTEMPTS: Final = 4
_COLUMNS: Final = (
    "id, title, kind, source_url, language, status, failure, version, byte_size, chunk_count, created_at, updated_at"
)
_INSERT = text(
    f"""
    insert into documents (tenant_id, title, kind, source_url, language, status, byte_size, ingest_due_at)
    values (:tenant_id, :title, :kind, :source_url, :language, 'pending', :byte_size, :at)
    returning {_COLUMNS}
    """  # noqa: S608 - constant columns
)
_UPLOAD = text(
    """
    insert into document_uploads (tenant_id, document_id, body) values (:tenant_id, :id, :body)
    on conflict (tenant_id, document_id) do update set body = excluded.body, received_at = now()
    """
)
_AGAIN = text(
    f"""
    update documents set ingest_due_at = :at, attempts = 0, updated_at = :at,
        byte_size = coalesce(cast(:byte_size as bigint), byte_size)
    where tenant_id = :tenant_id and id = :id returning {_COLUMNS}
    """  # noqa: S608 - constant columns
)
_PAGE = text(
    f"""
    select {_COLUMNS} from documents
    where tenant_id = :tenant_id
        and (
            cast(:before_at as timestamptz) is null
            or (created_at, id) < (cast(:before_at as timestamptz), cast(:before_id as uuid))
        )
    order by created_at desc, id desc limit :limit
    """  # noqa: S608 - constant columns
)
_ONE = text(f"select {_COLUMNS} from documents where tenant_id = :tenant_id and id = :id")  # noqa: S608 - constant columns
# So many fit into every worker's memory; more is a case for another kind of search.
MOST_PASSAGES: Final = 5_000
_OTHERS = text("select coalesce(sum(chunk_count), 0) from documents where tenant_id = :tenant_id and id <> :id")
_COUNT = text("select count(*) from documents where tenant_id = :tenant_id")
_CHANGE = text(
    f"""
    update documents set
        title = coalesce(cast(:title as text), title), language = coalesce(cast(:language as text), language),
        updated_at = now()
    where tenant_id = :tenant_id and id = :id returning {_COLUMNS}
    """  # noqa: S608 - constant columns
)
_DELETE = text("delete from documents where tenant_id = :tenant_id and id = :id")
_PASSAGES = text(
    """
    select position, heading, body from document_chunks
    where tenant_id = :tenant_id and document_id = :id order by position limit :limit
    """
)
# Nobody waits for all that another has: whose last document was read longest ago is first, and each worker takes one
# that no other holds.
_CLAIM = text(
    """
    update documents set ingest_due_at = :until, attempts = attempts + 1
    where (tenant_id, id) in (
        select waiting.tenant_id, waiting.id
        from documents as waiting
        join (
            select tenant_id, (
                select max(done.updated_at) from documents as done
                where done.tenant_id = those.tenant_id and done.ingest_due_at is null
            ) as read_at
            from (select distinct tenant_id from documents where ingest_due_at <= :at) as those
        ) as turns on turns.tenant_id = waiting.tenant_id
        where waiting.ingest_due_at <= :at
        order by turns.read_at nulls first, waiting.ingest_due_at limit 1
        for update of waiting skip locked
    )
    returning tenant_id, id, kind, source_url, attempts, content_hash, ingest_due_at as until
    """
)
_HELD = text("select 1 from documents where tenant_id = :tenant_id and id = :id and ingest_due_at = :until for update")
_BODY = text("select body from document_uploads where tenant_id = :tenant_id and document_id = :id")
_DROP_BODY = text("delete from document_uploads where tenant_id = :tenant_id and document_id = :id")
_DROP_CHUNKS = text("delete from document_chunks where tenant_id = :tenant_id and document_id = :id")
_CHUNK = text(
    """
    insert into document_chunks (tenant_id, id, document_id, position, heading, body)
    values (:tenant_id, :chunk_id, :id, :position, :heading, :body)
    """
)
_READY = text(
    """
    update documents set
        status = 'ready', failure = null, ingest_due_at = null, content_hash = :content_hash,
        chunk_count = :chunk_count, byte_size = :byte_size, updated_at = :at,
        version = version + case when status = 'ready' or chunk_count > 0 then 1 else 0 end
    where tenant_id = :tenant_id and id = :id
    """
)
_UNCHANGED = text(
    "update documents set ingest_due_at = null, failure = null, status = 'ready', updated_at = :at"
    " where tenant_id = :tenant_id and id = :id"
)
# What was readable before goes on answering.
_FAILED = text(
    """
    update documents set
        failure = :why, ingest_due_at = cast(:again_at as timestamptz), updated_at = :at,
        status = case when chunk_count > 0 then 'ready' when cast(:again_at as timestamptz) is null then 'failed'
            else 'pending' end
    where tenant_id = :tenant_id and id = :id
    """
)
# The workers read a tenant's knowledge anew when this number changes.
_NEW_VERSION = text("update settings set knowledge_version = knowledge_version + 1 where tenant_id = :tenant_id")


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """A document that this worker reads now."""

    tenant_id: UUID
    id: UUID
    kind: str
    source_url: str | None
    attempts: int
    content_hash: bytes | None
    until: datetime


async def create(
    transaction: AsyncConnection,
    tenant_id: UUID,
    *,
    title: str,
    kind: str,
    language: str,
    at: datetime,
    body: bytes | None = None,
    source_url: str | None = None,
    cipher: TenantCipher | None = None,
) -> Mapping[str, Any]:
    """Pending until a worker has read it; a file waits encrypted, an address is fetched then."""
    values = {
        "tenant_id": tenant_id, "title": title, "kind": kind, "language": language, "at": at, "source_url": source_url,
        "byte_size": None if body is None else len(body),
    }  # fmt: skip
    made = dict((await transaction.execute(_INSERT, values)).mappings().one())
    if body is not None and cipher is not None:
        await _keep(transaction, tenant_id, made["id"], body, cipher)
    return made


async def replace(
    transaction: AsyncConnection,
    tenant_id: UUID,
    document_id: UUID,
    *,
    at: datetime,
    body: bytes | None = None,
    cipher: TenantCipher | None = None,
) -> Mapping[str, Any] | None:
    """Read again, from a new file or from its address; the passages of before answer until then."""
    values = {"tenant_id": tenant_id, "id": document_id, "at": at, "byte_size": len(body) if body else None}
    row = (await transaction.execute(_AGAIN, values)).mappings().one_or_none()
    if row is not None and body is not None and cipher is not None:
        await _keep(transaction, tenant_id, document_id, body, cipher)
    return None if row is None else dict(row)


async def count(transaction: AsyncConnection, tenant_id: UUID) -> int:
    return int((await transaction.execute(_COUNT, {"tenant_id": tenant_id})).scalar_one())


async def page(transaction: AsyncConnection, tenant_id: UUID, **window: Any) -> list[Mapping[str, Any]]:
    found = await transaction.execute(_PAGE, {"tenant_id": tenant_id, **window})
    return [dict(row) for row in found.mappings()]


async def by_id(transaction: AsyncConnection, tenant_id: UUID, document_id: UUID) -> Mapping[str, Any] | None:
    row = (await transaction.execute(_ONE, {"tenant_id": tenant_id, "id": document_id})).mappings().one_or_none()
    return None if row is None else dict(row)


async def passages_of(
    transaction: AsyncConnection, tenant_id: UUID, document_id: UUID, *, limit: int
) -> list[Mapping[str, Any]]:
    found = await transaction.execute(_PASSAGES, {"tenant_id": tenant_id, "id": document_id, "limit": limit})
    return [dict(row) for row in found.mappings()]


async def change(
    transaction: AsyncConnection, tenant_id: UUID, document_id: UUID, *, title: str | None, language: str | None
) -> Mapping[str, Any] | None:
    values = {"tenant_id": tenant_id, "id": document_id, "title": title, "language": language}
    row = (await transaction.execute(_CHANGE, values)).mappings().one_or_none()
    if row is not None:
        await transaction.execute(_NEW_VERSION, values)
    return None if row is None else dict(row)


async def delete(transaction: AsyncConnection, tenant_id: UUID, document_id: UUID) -> bool:
    values = {"tenant_id": tenant_id, "id": document_id}
    is_gone = (await transaction.execute(_DELETE, values)).rowcount > 0
    if is_gone:
        await transaction.execute(_NEW_VERSION, values)
    return is_gone


async def claim(transaction: AsyncConnection, *, at: datetime) -> Waiting | None:
    """The next one of all tenants, in turns: a platform transaction."""
    row = (await transaction.execute(_CLAIM, {"at": at, "until": at + _LEASE})).mappings().one_or_none()
    return None if row is None else Waiting(**row)


async def is_held(transaction: AsyncConnection, waiting: Waiting) -> bool:
    """Not once a newer version came, another worker took over or it was deleted: what was read counts no more."""
    values = {"tenant_id": waiting.tenant_id, "id": waiting.id, "until": waiting.until}
    return (await transaction.execute(_HELD, values)).first() is not None


async def upload(
    transaction: AsyncConnection, tenant_id: UUID, document_id: UUID, *, cipher: TenantCipher
) -> bytes | None:
    sealed = (await transaction.execute(_BODY, {"tenant_id": tenant_id, "id": document_id})).scalar_one_or_none()
    return None if sealed is None else base64.b64decode(cipher.decrypt(sealed, row_id=document_id))


async def passages_beside(transaction: AsyncConnection, waiting: Waiting) -> int:
    """How many the tenant's other documents have."""
    return int((await transaction.execute(_OTHERS, {"tenant_id": waiting.tenant_id, "id": waiting.id})).scalar_one())


async def store_passages(
    transaction: AsyncConnection,
    waiting: Waiting,
    cuts: Sequence[Cut],
    *,
    content_hash: bytes,
    byte_size: int,
    at: datetime,
) -> None:
    """All at once in place of those of before, as a new version of the tenant's knowledge."""
    values = {
        "tenant_id": waiting.tenant_id, "id": waiting.id, "content_hash": content_hash, "byte_size": byte_size,
        "chunk_count": len(cuts), "at": at,
    }  # fmt: skip
    await transaction.execute(_DROP_CHUNKS, values)
    rows = [
        values
        | {
            "chunk_id": named_id("chunk", waiting.tenant_id, f"{waiting.id}:{position}"),
            "position": position,
            "heading": cut.heading,
            "body": cut.body,
        }
        for position, cut in enumerate(cuts)
    ]
    await transaction.execute(_CHUNK, rows)
    for statement in (_READY, _DROP_BODY, _NEW_VERSION):
        await transaction.execute(statement, values)


async def leave_unchanged(transaction: AsyncConnection, waiting: Waiting, *, at: datetime) -> None:
    """The same bytes as before make no new version."""
    values = {"tenant_id": waiting.tenant_id, "id": waiting.id, "at": at}
    await transaction.execute(_UNCHANGED, values)
    await transaction.execute(_DROP_BODY, values)


async def fail(
    transaction: AsyncConnection, waiting: Waiting, *, why: str, again_at: datetime | None, at: datetime
) -> None:
    values = {"tenant_id": waiting.tenant_id, "id": waiting.id, "why": why, "again_at": again_at, "at": at}
    await transaction.execute(_FAILED, values)
    if again_at is None:
        await transaction.execute(_DROP_BODY, values)


async def _keep(
    transaction: AsyncConnection, tenant_id: UUID, document_id: UUID, body: bytes, cipher: TenantCipher
) -> None:
    sealed = cipher.encrypt(base64.b64encode(body).decode(), row_id=document_id)
    await transaction.execute(_UPLOAD, {"tenant_id": tenant_id, "id": document_id, "body": sealed})
