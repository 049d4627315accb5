"""Filters of contacts that a tenant saved under a name."""

from collections.abc import Mapping
from typing import Any, Final
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

MOST: Final = 200
_COLUMNS: Final = "id, name, filter, created_at, updated_at"
_ALL = text(f"select {_COLUMNS} from segments where tenant_id = :tenant_id order by name, id limit {MOST}")  # noqa: S608
_ONE = text(f"select {_COLUMNS} from segments where tenant_id = :tenant_id and id = :id")  # noqa: S608
_CREATE = text(
    f"""
    insert into segments (tenant_id, name, filter)
    select :tenant_id, :name, cast(:filter as jsonb)
    where (select count(*) from segments where tenant_id = :tenant_id) < {MOST}
    on conflict (tenant_id, name) do nothing
    returning {_COLUMNS}
    """  # noqa: S608 - constant columns
)
_CHANGE = text(
    f"""
    update segments set
        name = coalesce(:name, name), filter = coalesce(cast(:filter as jsonb), filter), updated_at = now()
    where tenant_id = :tenant_id and id = :id
    returning {_COLUMNS}
    """  # noqa: S608 - constant columns
)
_TAKEN: Final = "23505"
_DELETE = text("delete from segments where tenant_id = :tenant_id and id = :id")


class NameTaken(Exception):
    """Another segment is called that."""


async def all_of(transaction: AsyncConnection, tenant_id: UUID) -> list[Mapping[str, Any]]:
    """By name."""
    return [dict(row) for row in (await transaction.execute(_ALL, {"tenant_id": tenant_id})).mappings()]


async def by_id(transaction: AsyncConnection, tenant_id: UUID, segment_id: UUID) -> Mapping[str, Any] | None:
    row = (await transaction.execute(_ONE, {"tenant_id": tenant_id, "id": segment_id})).mappings().one_or_none()
    return None if row is None else dict(row)


async def create(
    transaction: AsyncConnection, tenant_id: UUID, *, name: str, filter_json: str
) -> Mapping[str, Any] | None:
    """None when the name is taken, or when there are too many."""
    values = {"tenant_id": tenant_id, "name": name, "filter": filter_json}
    row = (await transaction.execute(_CREATE, values)).mappings().one_or_none()
    return None if row is None else dict(row)


async def change(
    transaction: AsyncConnection, tenant_id: UUID, segment_id: UUID, *, name: str | None, filter_json: str | None
) -> Mapping[str, Any] | None:
    """What is None stays. Raises NameTaken."""
    values = {"tenant_id": tenant_id, "id": segment_id, "name": name, "filter": filter_json}
    try:
        row = (await transaction.execute(_CHANGE, values)).mappings().one_or_none()
    except IntegrityError as error:
        if getattr(error.orig, "sqlstate", None) != _TAKEN:
            raise
        raise NameTaken from error
    return None if row is None else dict(row)


async def delete(transaction: AsyncConnection, tenant_id: UUID, segment_id: UUID) -> bool:
    return (await transaction.execute(_DELETE, {"tenant_id": tenant_id, "id": segment_id})).rowcount > 0
