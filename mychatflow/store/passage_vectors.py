"""What a tenant's passages mean, as numbers: which still lack them, and which lie nearest to a question."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

_KNOWN = """
    select tenant_id, id, title || E'\\n' || body as written from quick_replies where is_active
    union all
    select
        document_chunks.tenant_id,
        document_chunks.id,
        coalesce(nullif(document_chunks.heading, ''), documents.title) || E'\\n' || document_chunks.body as written
    from document_chunks
    inner join documents
        on documents.tenant_id = document_chunks.tenant_id
        and documents.id = document_chunks.document_id
        and documents.status = 'ready'
"""
# A knowledge that changed since it was last looked through, or that another model is to read now.
_STALE = text(
    """
    select tenant_id, knowledge_version, llm_daily_budget_usd from settings
    where embedded_as is distinct from cast(:model as text) || ':' || knowledge_version
        and tenant_id <> all(cast(:but as uuid[]))
    order by tenant_id limit 1
    """
)
_SIZE = text(f"select coalesce(sum(octet_length(written)), 0) from ({_KNOWN}) as known where tenant_id = :tenant_id")  # noqa: S608 - constant
_MISSING = text(
    f"""
    select known.id, known.written from ({_KNOWN}) as known
    left join passage_vectors
        on passage_vectors.tenant_id = known.tenant_id
        and passage_vectors.passage_id = known.id
        and passage_vectors.model = :model
        and passage_vectors.text_hash = sha256(convert_to(known.written, 'UTF8'))
    where known.tenant_id = :tenant_id and passage_vectors.passage_id is null
    order by known.id limit :limit
    """  # noqa: S608 - constant
)
_KEEP = text(
    """
    insert into passage_vectors (tenant_id, passage_id, model, text_hash, components)
    values (
        :tenant_id, :passage_id, :model, sha256(convert_to(:written, 'UTF8')), cast(:components as real[])
    )
    on conflict (tenant_id, passage_id, model) do update set
        text_hash = excluded.text_hash, components = excluded.components, made_at = now()
    """
)
_FORGET = text(
    f"""
    delete from passage_vectors
    where tenant_id = :tenant_id
        and (model <> :model or passage_id not in (select id from ({_KNOWN}) as known where tenant_id = :tenant_id))
    """  # noqa: S608 - constant
)
_COMPLETE = text(
    """
    update settings set embedded_as = cast(:model as text) || ':' || cast(:version as integer)
    where tenant_id = :tenant_id
    """
)
# One tenant's few thousand passages are compared one by one: exact, and an index over all tenants would miss some.
_NEAREST = text(
    """
    select passage_id, 1 - (components::vector <=> cast(cast(:question as real[]) as vector)) as likeness
    from passage_vectors
    where tenant_id = :tenant_id and model = :model
    order by likeness desc, passage_id limit :limit
    """
)
_HAS_EXTENSION = text("select exists (select 1 from pg_extension where extname = 'vector')")


@dataclass(frozen=True, slots=True, kw_only=True)
class Missing:
    """A passage that has no numbers yet."""

    id: UUID
    written: str


async def stale_tenant(
    transaction: AsyncConnection, *, model: str, but: Sequence[UUID] = ()
) -> tuple[UUID, int, float | None] | None:
    """A tenant whose knowledge is to be looked through, its version and dollars a day (platform transaction)."""
    found = (await transaction.execute(_STALE, {"model": model, "but": list(but)})).one_or_none()
    return None if found is None else (found.tenant_id, found.knowledge_version, found.llm_daily_budget_usd)


async def size(transaction: AsyncConnection, tenant_id: UUID) -> int:
    """Bytes of all that the tenant knows."""
    return int((await transaction.execute(_SIZE, {"tenant_id": tenant_id})).scalar_one())


async def missing(transaction: AsyncConnection, tenant_id: UUID, *, model: str, limit: int) -> list[Missing]:
    rows = await transaction.execute(_MISSING, {"tenant_id": tenant_id, "model": model, "limit": limit})
    return [Missing(id=row.id, written=row.written) for row in rows]


async def keep(
    transaction: AsyncConnection, tenant_id: UUID, *, model: str, found: Sequence[tuple[Missing, Sequence[float]]]
) -> None:
    values = [
        {
            "tenant_id": tenant_id,
            "passage_id": passage.id,
            "model": model,
            "written": passage.written,
            "components": list(components),
        }
        for passage, components in found
    ]
    await transaction.execute(_KEEP, values)


async def complete(transaction: AsyncConnection, tenant_id: UUID, *, model: str, version: int) -> None:
    """Nothing is missing any more; what is not known any more is forgotten."""
    await transaction.execute(_FORGET, {"tenant_id": tenant_id, "model": model})
    await transaction.execute(_COMPLETE, {"tenant_id": tenant_id, "model": model, "version": version})


async def nearest(
    transaction: AsyncConnection, tenant_id: UUID, *, model: str, question: Sequence[float], limit: int
) -> list[tuple[str, float]]:
    """Passages and how alike they are, 1 being the same; needs the extension."""
    values = {"tenant_id": tenant_id, "model": model, "question": list(question), "limit": limit}
    return [(str(row.passage_id), float(row.likeness)) for row in await transaction.execute(_NEAREST, values)]


async def has_extension(transaction: AsyncConnection) -> bool:
    return bool((await transaction.execute(_HAS_EXTENSION)).scalar_one())
