"""The texts that a tenant's agent answers from; every change of them is a new version of its knowledge."""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

_COLUMNS = "id, title, body, language, tags, version, is_active, created_at, updated_at"
_INSERT = text(
    f"""
    insert into quick_replies (tenant_id, title, body, language, tags)
    values (:tenant_id, :title, :body, :language, :tags)
    returning {_COLUMNS}
    """  # noqa: S608 - constant columns
)
_ONE = text(f"select {_COLUMNS} from quick_replies where tenant_id = :tenant_id and id = :quick_reply_id")  # noqa: S608
_PAGE = text(
    f"""
    select {_COLUMNS} from quick_replies
    where tenant_id = :tenant_id
        and (
            cast(:before_at as timestamptz) is null
            or (created_at, id) < (cast(:before_at as timestamptz), cast(:before_id as uuid))
        )
    order by created_at desc, id desc limit :limit
    """  # noqa: S608 - constant columns
)
_CHANGE = text(
    f"""
    update quick_replies set
        title = coalesce(cast(:title as text), title),
        body = coalesce(cast(:body as text), body),
        language = coalesce(cast(:language as text), language),
        tags = coalesce(cast(:tags as text[]), tags),
        is_active = coalesce(cast(:is_active as boolean), is_active),
        version = version + 1,
        updated_at = now()
    where tenant_id = :tenant_id and id = :quick_reply_id
    returning {_COLUMNS}
    """  # noqa: S608 - constant columns
)
_DELETE = text("delete from quick_replies where tenant_id = :tenant_id and id = :quick_reply_id")
# The workers read a tenant's texts anew when this number changes.
_NEW_VERSION = text(
    """
    update settings set knowledge_version = knowledge_version + 1, updated_at = now() where tenant_id = :tenant_id
    """
)


async def create(
    transaction: AsyncConnection, tenant_id: UUID, *, title: str, body: str, language: str, tags: Sequence[str]
) -> Mapping[str, Any]:
    """A new text, active at once."""
    values = {"tenant_id": tenant_id, "title": title, "body": body, "language": language, "tags": list(tags)}
    made = (await transaction.execute(_INSERT, values)).mappings().one()
    await _renew(transaction, tenant_id)
    return dict(made)


async def page(transaction: AsyncConnection, tenant_id: UUID, **window: Any) -> list[Mapping[str, Any]]:
    """The tenant's texts, newest first; `window` is before_at, before_id and limit."""
    found = await transaction.execute(_PAGE, {"tenant_id": tenant_id, **window})
    return [dict(row) for row in found.mappings()]


async def by_id(transaction: AsyncConnection, tenant_id: UUID, quick_reply_id: UUID) -> Mapping[str, Any] | None:
    found = await transaction.execute(_ONE, {"tenant_id": tenant_id, "quick_reply_id": quick_reply_id})
    row = found.mappings().one_or_none()
    return None if row is None else dict(row)


async def change(
    transaction: AsyncConnection,
    tenant_id: UUID,
    quick_reply_id: UUID,
    *,
    title: str | None = None,
    body: str | None = None,
    language: str | None = None,
    tags: Sequence[str] | None = None,
    is_active: bool | None = None,
) -> Mapping[str, Any] | None:
    """What is None stays as it is; None for a text that is not there."""
    given = {
        "title": title,
        "body": body,
        "language": language,
        "tags": None if tags is None else list(tags),
        "is_active": is_active,
    }
    if all(value is None for value in given.values()):
        return await by_id(transaction, tenant_id, quick_reply_id)
    values = given | {"tenant_id": tenant_id, "quick_reply_id": quick_reply_id}
    row = (await transaction.execute(_CHANGE, values)).mappings().one_or_none()
    if row is None:
        return None
    await _renew(transaction, tenant_id)
    return dict(row)


async def delete(transaction: AsyncConnection, tenant_id: UUID, quick_reply_id: UUID) -> bool:
    """Whether there was such a text."""
    done = await transaction.execute(_DELETE, {"tenant_id": tenant_id, "quick_reply_id": quick_reply_id})
    if done.rowcount:
        await _renew(transaction, tenant_id)
    return done.rowcount > 0


async def _renew(transaction: AsyncConnection, tenant_id: UUID) -> None:
    await transaction.execute(_NEW_VERSION, {"tenant_id": tenant_id})
