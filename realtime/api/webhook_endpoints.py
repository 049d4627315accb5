"""/webhook-endpoints: where a tenant's own programs hear of its facts, signed and tried again; secrets shown once."""

from datetime import datetime, timedelta
from typing import Annotated, Any, Final, Literal
from uuid import UUID

from pydantic import AwareDatetime, Field, StringConstraints
from sqlalchemy.ext.asyncio import AsyncConnection

from mychatflow.events import EventType
from mychatflow.rules.role import Permission
from mychatflow.store import webhook_deliveries, webhook_endpoints
from mychatflow.store.webhook_deliveries import TooMany
from realtime.api import pages
from realtime.api.bodies import Body, Line, Shown, shown_as
from realtime.api.desk import AtDesk, Desk, not_found
from realtime.api.pages import Cursor, Limit, Page
from realtime.api.problems import Problem
from realtime.api.routes import needs, tenant_router
from realtime.callbacks import post
from realtime.channels.public_web import AddressRefused

router = tenant_router("webhook-endpoints")
_LONGEST_RANGE: Final = timedelta(days=31)
_Url = Annotated[str, StringConstraints(strip_whitespace=True, min_length=8, max_length=2_000)]
_EventTypes = Annotated[
    tuple[EventType, ...], Field(max_length=len(EventType), description="Which facts to tell; none means all.")
]


class NewEndpoint(Body):
    model_config = shown_as(
        {
            "url": "https://example.com/hooks",
            "description": "Our CRM",
            "event_types": ["message_received", "lead_scored", "appointment_booked"],
        }
    )

    url: Annotated[_Url, Field(description="https:// on the public web.", examples=["https://example.com/hooks"])]
    description: Line | None = None
    event_types: _EventTypes = ()


class EndpointChange(Body):
    """Only what is given changes; switching it on again forgives its failures."""

    url: _Url | None = None
    description: Line | None = None
    event_types: _EventTypes | None = None
    is_active: bool | None = None


class Endpoint(Shown):
    id: UUID
    url: str
    description: str | None
    event_types: tuple[str, ...]
    is_active: bool
    disabled_reason: Literal["by_hand", "failing", "gone"] | None
    failing_since: datetime | None
    previous_secret_until: datetime | None
    created_at: datetime


class EndpointWithSecret(Endpoint):
    """The only answers that hold the secret."""

    secret: str = Field(repr=False, description="Checks `webhook-signature`, by the Standard Webhooks scheme.")


class Delivery(Shown):
    id: UUID
    event_id: UUID
    event_type: str | None
    occurred_at: datetime | None
    state: Literal["pending", "delivered", "failed"]
    attempts: int
    next_try_at: datetime
    last_status: int | None
    last_error: str | None
    last_tried_at: datetime | None
    last_duration_ms: int | None
    delivered_at: datetime | None
    created_at: datetime


class Replay(Body):
    """Facts of [since, until), 31 days at most; also those of a time when the endpoint was off."""

    since: AwareDatetime
    until: AwareDatetime


class Replayed(Shown):
    count: int


@router.get("/webhook-endpoints", summary="Where facts are told", **needs(Permission.MANAGE_WEBHOOKS))
async def list_endpoints(desk: AtDesk) -> Page[Endpoint]:
    async with desk.reading() as transaction:
        rows = await webhook_endpoints.all_endpoints(transaction, desk.tenant_id)
    return Page(data=[Endpoint.model_validate(row) for row in rows], next_cursor=None)


@router.post(
    "/webhook-endpoints", status_code=201, summary="Tell facts to an address", **needs(Permission.MANAGE_WEBHOOKS)
)
async def create_endpoint(desk: AtDesk, wanted: NewEndpoint) -> EndpointWithSecret:
    _refuse_inner_places(desk, wanted.url)
    async with desk.changing("webhook_endpoint.created") as change:
        made = await webhook_endpoints.create(
            change.transaction,
            wanted.url,
            description=wanted.description,
            event_types=wanted.event_types,
            cipher=await desk.cipher(change.transaction),
        )
        if made is None:
            raise Problem(409, "too_many", f"A tenant has at most {webhook_endpoints.MOST} webhook endpoints.")
        endpoint, secret = made
        change.subject = str(endpoint["id"])
    return EndpointWithSecret.model_validate({**endpoint, "secret": secret})


@router.get("/webhook-endpoints/{endpoint_id}", summary="One endpoint", **needs(Permission.MANAGE_WEBHOOKS))
async def read_endpoint(desk: AtDesk, endpoint_id: UUID) -> Endpoint:
    async with desk.reading() as transaction:
        return Endpoint.model_validate(await _must_find(desk, transaction, endpoint_id))


@router.patch("/webhook-endpoints/{endpoint_id}", summary="Change, or switch off", **needs(Permission.MANAGE_WEBHOOKS))
async def change_endpoint(desk: AtDesk, endpoint_id: UUID, wanted: EndpointChange) -> Endpoint:
    if wanted.url is not None:
        _refuse_inner_places(desk, wanted.url)
    async with desk.changing("webhook_endpoint.changed", endpoint_id) as change:
        change.detail["keys"] = sorted(wanted.model_fields_set)
        changed = await webhook_endpoints.change(
            change.transaction,
            desk.tenant_id,
            endpoint_id,
            url=wanted.url,
            description=wanted.description,
            event_types=wanted.event_types,
            is_active=wanted.is_active,
        )
        if changed is None:
            not_found("webhook endpoint")
    return Endpoint.model_validate(changed)


@router.delete(
    "/webhook-endpoints/{endpoint_id}",
    status_code=204,
    summary="Tell it nothing more",
    **needs(Permission.MANAGE_WEBHOOKS),
)
async def delete_endpoint(desk: AtDesk, endpoint_id: UUID) -> None:
    async with desk.changing("webhook_endpoint.deleted", endpoint_id) as change:
        if not await webhook_endpoints.delete(change.transaction, desk.tenant_id, endpoint_id):
            not_found("webhook endpoint")


@router.post(
    "/webhook-endpoints/{endpoint_id}/rotate-secret", summary="A new secret", **needs(Permission.MANAGE_WEBHOOKS)
)
async def rotate_secret(desk: AtDesk, endpoint_id: UUID) -> EndpointWithSecret:
    """The one before signs beside it for a day."""
    async with desk.changing("webhook_endpoint.secret_rotated", endpoint_id) as change:
        cipher = await desk.cipher(change.transaction)
        rotated = await webhook_endpoints.rotate(change.transaction, endpoint_id, cipher=cipher, at=desk.at)
        if rotated is None:
            not_found("webhook endpoint")
        endpoint, secret = rotated
    return EndpointWithSecret.model_validate({**endpoint, "secret": secret})


@router.get(
    "/webhook-endpoints/{endpoint_id}/deliveries",
    summary="What was told, latest first",
    **needs(Permission.MANAGE_WEBHOOKS),
)
async def list_deliveries(
    desk: AtDesk,
    endpoint_id: UUID,
    state: Literal["pending", "delivered", "failed"] | None = None,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> Page[Delivery]:
    window = pages.opened(desk, "deliveries", cursor)
    async with desk.reading() as transaction:
        await _must_find(desk, transaction, endpoint_id)
        rows = await webhook_deliveries.page(
            transaction, desk.tenant_id, endpoint_id, state=state, limit=pages.size(limit) + 1, **window
        )
    return pages.page(desk, "deliveries", Delivery, rows, limit=limit, by=("created_at", "id"))


@router.post(
    "/webhook-endpoints/{endpoint_id}/deliveries/{delivery_id}/replay",
    status_code=202,
    summary="Tell one again",
    **needs(Permission.MANAGE_WEBHOOKS),
)
async def replay_delivery(desk: AtDesk, endpoint_id: UUID, delivery_id: UUID) -> Delivery:
    async with desk.changing("webhook_delivery.replayed", delivery_id) as change:
        found = await webhook_deliveries.replay_one(
            change.transaction, desk.tenant_id, endpoint_id, delivery_id, at=desk.at
        )
        if found is None:
            not_found("delivery")
    return Delivery.model_validate(dict(found))


@router.post(
    "/webhook-endpoints/{endpoint_id}/replay",
    status_code=202,
    summary="Tell a time again",
    **needs(Permission.MANAGE_WEBHOOKS),
)
async def replay_range(desk: AtDesk, endpoint_id: UUID, wanted: Replay) -> Replayed:
    if not timedelta() < wanted.until - wanted.since <= _LONGEST_RANGE:
        where = {"where": ["body", "until"], "problem": "must be after `since`, by 31 days at most", "kind": "range"}
        raise Problem(422, "invalid", "Some fields are not as they must be.", errors=[where])
    async with desk.changing("webhook_endpoint.replayed", endpoint_id) as change:
        await _must_find(desk, change.transaction, endpoint_id)
        try:
            count = await webhook_deliveries.replay_range(
                change.transaction, desk.tenant_id, endpoint_id, since=wanted.since, until=wanted.until, at=desk.at
            )
        except TooMany as refused:
            raise Problem(
                422, "range_too_wide", f"More than {refused.most} facts: ask for a shorter time."
            ) from refused
        change.detail["count"] = count
    return Replayed(count=count)


async def _must_find(desk: Desk, transaction: AsyncConnection, endpoint_id: UUID) -> dict[str, Any]:
    """Raises Problem 404."""
    found = await webhook_endpoints.by_id(transaction, desk.tenant_id, endpoint_id)
    if found is None:
        not_found("webhook endpoint")
    return dict(found)


def _refuse_inner_places(desk: Desk, url: str) -> None:
    try:
        post.check(url, is_at_home=desk.doors.settings.env == "development")
    except AddressRefused as refused:
        where = {"where": ["body", "url"], "problem": str(refused), "kind": "address"}
        raise Problem(422, "invalid", f"`url`: {refused}.", errors=[where]) from refused
