"""What can be booked, and the chairs, rooms and people that it takes."""

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import timedelta
from typing import Any, Final
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from mychatflow.rules import business_hours
from mychatflow.rules.booking import Resource, Service

SERVICE_FIELDS: Final = (
    "name", "duration_minutes", "step_minutes", "buffer_before_minutes", "buffer_after_minutes", "min_notice_minutes",
    "horizon_days", "price_cents", "currency", "is_active",
)  # fmt: skip
RESOURCE_FIELDS: Final = ("name", "timezone", "hours", "exceptions", "service_ids", "is_active")
_JSON: Final = frozenset({"hours", "exceptions"})
_COLUMNS: Final = {
    "services": f"id, {', '.join(SERVICE_FIELDS)}, version, created_at",
    "resources": f"id, {', '.join(RESOURCE_FIELDS)}, created_at",
}
_HOURS = text("select business_hours, business_hours_exceptions, timezone from settings where tenant_id = :tenant_id")
_SERVING = text(
    """
    select id, name, timezone, hours, exceptions from resources
    where tenant_id = :tenant_id and is_active
        and (service_ids = '{}' or cast(:service_id as uuid) = any(service_ids))
        and (cast(:resource_id as uuid) is null or id = cast(:resource_id as uuid))
    order by created_at, id
    """
)


async def page(transaction: AsyncConnection, tenant_id: UUID, table: str, **window: Any) -> list[Mapping[str, Any]]:
    """Services or resources, newest first; `window` is before_at, before_id and limit."""
    statement = text(
        f"""
        select {_COLUMNS[table]} from {table}
        where tenant_id = :tenant_id
            and (
                cast(:before_at as timestamptz) is null
                or (created_at, id) < (cast(:before_at as timestamptz), cast(:before_id as uuid))
            )
        order by created_at desc, id desc limit :limit
        """  # noqa: S608 - one of our two tables
    )
    return [dict(row) for row in (await transaction.execute(statement, {"tenant_id": tenant_id, **window})).mappings()]


async def by_id(transaction: AsyncConnection, tenant_id: UUID, table: str, row_id: UUID) -> Mapping[str, Any] | None:
    statement = text(f"select {_COLUMNS[table]} from {table} where tenant_id = :tenant_id and id = :id")  # noqa: S608
    row = (await transaction.execute(statement, {"tenant_id": tenant_id, "id": row_id})).mappings().one_or_none()
    return None if row is None else dict(row)


async def create(
    transaction: AsyncConnection, tenant_id: UUID, table: str, values: Mapping[str, Any]
) -> Mapping[str, Any]:
    """`values` are some of SERVICE_FIELDS or RESOURCE_FIELDS; the others have the table's defaults."""
    given = _written(values)
    names = "".join(f", {name}" for name in given)
    marks = "".join(f", {_mark(name)}" for name in given)
    statement = text(
        f"insert into {table} (tenant_id{names}) values (:tenant_id{marks}) returning {_COLUMNS[table]}"  # noqa: S608
    )
    return dict((await transaction.execute(statement, {"tenant_id": tenant_id} | given)).mappings().one())


async def change(
    transaction: AsyncConnection, tenant_id: UUID, table: str, row_id: UUID, values: Mapping[str, Any]
) -> Mapping[str, Any] | None:
    """A service that changes gets a new version, which no slot of the old one fits any more."""
    given = _written(values)
    if not given:
        return await by_id(transaction, tenant_id, table, row_id)
    parts = [f"{name} = {_mark(name)}" for name in given]
    if table == "services":
        parts.append("version = version + 1")
    statement = text(
        f"update {table} set {', '.join(parts)} where tenant_id = :tenant_id and id = :id returning {_COLUMNS[table]}"  # noqa: S608
    )
    parameters = {"tenant_id": tenant_id, "id": row_id} | given
    row = (await transaction.execute(statement, parameters)).mappings().one_or_none()
    return None if row is None else dict(row)


async def unknown(transaction: AsyncConnection, tenant_id: UUID, service_ids: Iterable[UUID]) -> list[UUID]:
    """Those that are no services of the tenant."""
    statement = text(
        "select asked.id from unnest(cast(:ids as uuid[])) as asked (id)"
        " where not exists (select 1 from services where tenant_id = :tenant_id and services.id = asked.id)"
    )
    return list((await transaction.execute(statement, {"tenant_id": tenant_id, "ids": list(service_ids)})).scalars())


async def active(transaction: AsyncConnection, tenant_id: UUID) -> list[Mapping[str, Any]]:
    """The services that customers may book, by name."""
    statement = text(
        f"select {_COLUMNS['services']} from services where tenant_id = :tenant_id and is_active order by name, id"  # noqa: S608
    )
    return [dict(row) for row in (await transaction.execute(statement, {"tenant_id": tenant_id})).mappings()]


async def serving(
    transaction: AsyncConnection, tenant_id: UUID, service_id: UUID, *, resource_id: UUID | None = None
) -> tuple[Resource, ...]:
    """Who offers that service, the longest known first.

    A resource without hours of its own keeps the business's; the business's holidays hold for all who do not say
    otherwise for that day.
    """
    wanted = {"tenant_id": tenant_id, "service_id": service_id, "resource_id": resource_id}
    found = (await transaction.execute(_SERVING, wanted)).mappings().all()
    house = (await transaction.execute(_HOURS, {"tenant_id": tenant_id})).mappings().one_or_none()
    return tuple(_resource(dict(row), dict(house or {})) for row in found)


def service_of(row: Mapping[str, Any]) -> Service:
    return Service(
        service_id=row["id"],
        duration=timedelta(minutes=row["duration_minutes"]),
        step=timedelta(minutes=row["step_minutes"]),
        buffer_before=timedelta(minutes=row["buffer_before_minutes"]),
        buffer_after=timedelta(minutes=row["buffer_after_minutes"]),
        min_notice=timedelta(minutes=row["min_notice_minutes"]),
        horizon=timedelta(days=row["horizon_days"]),
        version=row["version"],
    )


def _resource(row: Mapping[str, Any], house: Mapping[str, Any]) -> Resource:
    hours = business_hours.parse(row["hours"] or {})
    if not hours.is_configured:
        hours = business_hours.parse(house.get("business_hours") or {})
    holidays = business_hours.parse_exceptions(house.get("business_hours_exceptions") or {})
    own = business_hours.parse_exceptions(row["exceptions"] or {})
    return Resource(resource_id=row["id"], hours=hours, timezone=row["timezone"], exceptions={**holidays, **own})


def _written(values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: json.dumps(value) if name in _JSON else _listed(value) for name, value in values.items()}


def _listed(value: Any) -> Any:
    return list(value) if isinstance(value, Sequence) and not isinstance(value, str) else value


def _mark(name: str) -> str:
    if name in _JSON:
        return f"cast(:{name} as jsonb)"
    return f"cast(:{name} as uuid[])" if name == "service_ids" else f":{name}"
