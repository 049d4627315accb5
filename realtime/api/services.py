"""/services and /resources: what can be booked, and the people, rooms and chairs that it takes."""

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from pydantic import AfterValidator, Field, StringConstraints
from sqlalchemy.ext.asyncio import AsyncConnection

from mychatflow.rules import business_hours
from mychatflow.rules.role import Permission
from mychatflow.store import services
from realtime.api import pages
from realtime.api.bodies import Body, Line, Shown
from realtime.api.desk import AtDesk, Desk, not_found
from realtime.api.pages import Cursor, Limit, Page
from realtime.api.routes import needs, tenant_router

router = tenant_router("services")


def _hours(value: dict[str, Any]) -> dict[str, Any]:
    business_hours.parse(value)
    return value


def _exceptions(value: dict[str, Any]) -> dict[str, Any]:
    business_hours.parse_exceptions(value)
    return value


def _zone(value: str) -> str:
    business_hours.zone(value)
    return value


Minutes = Annotated[int, Field(ge=5, le=1_440)]
Buffer = Annotated[int, Field(ge=0, le=1_440)]
Notice = Annotated[int, Field(ge=0, le=525_600)]
Horizon = Annotated[int, Field(ge=1, le=730)]
Price = Annotated[int, Field(ge=0, le=2_000_000_000)]
Currency = Annotated[str, StringConstraints(pattern=r"^[A-Z]{3}$")]
Zone = Annotated[str, StringConstraints(min_length=1, max_length=100), AfterValidator(_zone)]
Hours = Annotated[dict[str, Any], AfterValidator(_hours)]
Exceptions = Annotated[dict[str, Any], Field(max_length=1_000), AfterValidator(_exceptions)]
ServiceIds = Annotated[tuple[UUID, ...], Field(max_length=200)]


class ShownService(Shown):
    id: UUID
    name: str
    duration_minutes: int
    step_minutes: int
    buffer_before_minutes: int
    buffer_after_minutes: int
    min_notice_minutes: int
    horizon_days: int
    price_cents: int | None
    currency: str | None
    is_active: bool
    version: int
    created_at: datetime


class NewService(Body):
    name: Line
    duration_minutes: Minutes
    step_minutes: Minutes = 30
    buffer_before_minutes: Buffer = 0
    buffer_after_minutes: Buffer = 0
    min_notice_minutes: Notice = 60
    horizon_days: Horizon = 60
    price_cents: Price | None = None
    currency: Currency | None = None
    is_active: bool = True


class ServiceChange(Body):
    """What is absent stays."""

    name: Line = ""
    duration_minutes: Minutes = 5
    step_minutes: Minutes = 5
    buffer_before_minutes: Buffer = 0
    buffer_after_minutes: Buffer = 0
    min_notice_minutes: Notice = 0
    horizon_days: Horizon = 1
    price_cents: Price | None = None
    currency: Currency | None = None
    is_active: bool = True


class ShownResource(Shown):
    id: UUID
    name: str
    timezone: str
    hours: dict[str, Any]
    exceptions: dict[str, Any]
    service_ids: tuple[UUID, ...]
    is_active: bool
    created_at: datetime


class NewResource(Body):
    """Without hours it keeps the business's; without services it serves all."""

    name: Line
    timezone: Zone
    hours: Hours = Field(default_factory=dict)
    exceptions: Exceptions = Field(default_factory=dict)
    service_ids: ServiceIds = ()
    is_active: bool = True


class ResourceChange(Body):
    """What is absent stays."""

    name: Line = ""
    timezone: Zone = "UTC"
    hours: Hours = Field(default_factory=dict)
    exceptions: Exceptions = Field(default_factory=dict)
    service_ids: ServiceIds = ()
    is_active: bool = True


@router.get("/services", summary="What can be booked, newest first", **needs(Permission.VIEW_CONVERSATIONS))
async def list_services(desk: AtDesk, limit: Limit = 50, cursor: Cursor = None) -> Page[ShownService]:
    window = pages.opened(desk, "services", cursor)
    async with desk.reading() as transaction:
        rows = await services.page(transaction, desk.tenant_id, "services", **window, limit=pages.size(limit) + 1)
    return pages.page(desk, "services", ShownService, rows, limit=limit, by=("created_at", "id"))


@router.post("/services", status_code=201, summary="Offer a service", **needs(Permission.MANAGE_SETTINGS))
async def create_service(desk: AtDesk, wanted: NewService) -> ShownService:
    return ShownService.model_validate(await _create(desk, "services", wanted))


@router.get("/services/{service_id}", summary="One service", **needs(Permission.VIEW_CONVERSATIONS))
async def read_service(desk: AtDesk, service_id: UUID) -> ShownService:
    return ShownService.model_validate(await _read(desk, "services", service_id))


@router.patch("/services/{service_id}", summary="Change a service", **needs(Permission.MANAGE_SETTINGS))
async def change_service(desk: AtDesk, service_id: UUID, wanted: ServiceChange) -> ShownService:
    """Slots that were offered before no longer fit; bookings stay as they are."""
    return ShownService.model_validate(await _change(desk, "services", service_id, wanted))


@router.get("/resources", summary="Who and what serves, newest first", **needs(Permission.VIEW_CONVERSATIONS))
async def list_resources(desk: AtDesk, limit: Limit = 50, cursor: Cursor = None) -> Page[ShownResource]:
    window = pages.opened(desk, "resources", cursor)
    async with desk.reading() as transaction:
        rows = await services.page(transaction, desk.tenant_id, "resources", **window, limit=pages.size(limit) + 1)
    return pages.page(desk, "resources", ShownResource, rows, limit=limit, by=("created_at", "id"))


@router.post("/resources", status_code=201, summary="Add somebody who serves", **needs(Permission.MANAGE_SETTINGS))
async def create_resource(desk: AtDesk, wanted: NewResource) -> ShownResource:
    return ShownResource.model_validate(await _create(desk, "resources", wanted))


@router.get("/resources/{resource_id}", summary="One resource", **needs(Permission.VIEW_CONVERSATIONS))
async def read_resource(desk: AtDesk, resource_id: UUID) -> ShownResource:
    return ShownResource.model_validate(await _read(desk, "resources", resource_id))


@router.patch("/resources/{resource_id}", summary="Change a resource", **needs(Permission.MANAGE_SETTINGS))
async def change_resource(desk: AtDesk, resource_id: UUID, wanted: ResourceChange) -> ShownResource:
    return ShownResource.model_validate(await _change(desk, "resources", resource_id, wanted))


async def _create(desk: AtDesk, table: str, wanted: Body) -> Any:
    async with desk.changing(f"{table[:-1]}.created") as change:
        await _must_know(desk, change.transaction, wanted)
        made = await services.create(change.transaction, desk.tenant_id, table, wanted.model_dump())
        change.subject = str(made["id"])
    return made


async def _read(desk: AtDesk, table: str, row_id: UUID) -> Any:
    async with desk.reading() as transaction:
        found = await services.by_id(transaction, desk.tenant_id, table, row_id)
    return found or not_found(table[:-1])


async def _change(desk: AtDesk, table: str, row_id: UUID, wanted: Body) -> Any:
    given = wanted.model_dump(exclude_unset=True)
    async with desk.changing(f"{table[:-1]}.changed", row_id) as change:
        await _must_know(desk, change.transaction, wanted)
        now = await services.change(change.transaction, desk.tenant_id, table, row_id, given)
        if now is None:
            not_found(table[:-1])
        change.detail["keys"] = sorted(given)
    return now


async def _must_know(desk: Desk, transaction: AsyncConnection, wanted: Body) -> None:
    """A service of nobody or of another tenant among ours refuses all of it."""
    asked = getattr(wanted, "service_ids", ())
    if asked and await services.unknown(transaction, desk.tenant_id, asked):
        not_found("service")
