"""/campaigns: one message to many, planned, tried out, started, stopped and judged."""

from collections.abc import Awaitable, Mapping
from dataclasses import asdict
from datetime import datetime
from typing import Any, Protocol
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from mychatflow.rules import template, wall_time
from mychatflow.rules.role import Permission
from mychatflow.rules.template import InvalidTemplate
from mychatflow.rules.wall_time import NoSuchTime
from mychatflow.store import (
    campaign_audience,
    campaign_results,
    campaign_tests,
    campaigns,
    contact_attributes,
    contact_filters,
    instances,
    tenant_settings,
)
from mychatflow.store.campaigns import WrongState
from realtime.api import filters, pages, problems
from realtime.api.campaign_shapes import (
    Campaign,
    CampaignChange,
    NewCampaign,
    Recipient,
    RecipientState,
    Results,
    ShownPreview,
    State,
    Tested,
    ToContact,
)
from realtime.api.contacts import must_find
from realtime.api.desk import AtDesk, Desk, not_found
from realtime.api.pages import Cursor, Limit, Page
from realtime.api.problems import Problem
from realtime.api.routes import needs, tenant_router

router = tenant_router("campaigns")
_ADMIN = needs(Permission.MANAGE_CAMPAIGNS)


class Move(Protocol):
    """One of the steps of a campaign's life."""

    def __call__(
        self, transaction: AsyncConnection, tenant_id: UUID, campaign_id: UUID, *, at: datetime
    ) -> Awaitable[Mapping[str, Any] | None]: ...


@router.get("/campaigns", summary="Campaigns, newest first", **_ADMIN)
async def list_campaigns(
    desk: AtDesk, state: State | None = None, limit: Limit = 50, cursor: Cursor = None
) -> Page[Campaign]:
    window = pages.opened(desk, "campaigns", cursor)
    async with desk.reading() as transaction:
        rows = await campaigns.page(transaction, desk.tenant_id, state=state, **window, limit=pages.size(limit) + 1)
    return pages.page(desk, "campaigns", Campaign, rows, limit=limit, by=("created_at", "id"))


@router.post("/campaigns", status_code=201, summary="Draft a campaign", **_ADMIN)
async def create_campaign(desk: AtDesk, wanted: NewCampaign) -> Campaign:
    async with desk.changing("campaign.created") as change:
        values = await _values(desk, change.transaction, wanted)
        made = await campaigns.create(change.transaction, desk.tenant_id, values, created_by=desk.caller.member_id)
        change.subject = str(made["id"])
    return Campaign.model_validate(made)


@router.get("/campaigns/{campaign_id}", summary="One campaign", **_ADMIN)
async def read_campaign(desk: AtDesk, campaign_id: UUID) -> Campaign:
    async with desk.reading() as transaction:
        return Campaign.model_validate(await _must_find(desk, transaction, campaign_id))


@router.patch("/campaigns/{campaign_id}", summary="Change a draft", **_ADMIN)
async def change_campaign(desk: AtDesk, campaign_id: UUID, wanted: CampaignChange) -> Campaign:
    async with desk.changing("campaign.changed", campaign_id) as change:
        values = await _values(desk, change.transaction, wanted)
        try:
            now = await campaigns.change(change.transaction, desk.tenant_id, campaign_id, values)
        except WrongState as wrong:
            raise _conflict(wrong) from wrong
        if now is None:
            not_found("campaign")
        change.detail["keys"] = sorted(values)
    return Campaign.model_validate(now)


@router.delete("/campaigns/{campaign_id}", status_code=204, summary="Throw a draft away", **_ADMIN)
async def delete_campaign(desk: AtDesk, campaign_id: UUID) -> None:
    async with desk.changing("campaign.deleted", campaign_id) as change:
        try:
            if not await campaigns.delete(change.transaction, desk.tenant_id, campaign_id):
                not_found("campaign")
        except WrongState as wrong:
            raise _conflict(wrong) from wrong


@router.get("/campaigns/{campaign_id}/preview", name="read_preview", summary="Whom it would reach now", **_ADMIN)
@router.post("/campaigns/{campaign_id}/preview", summary="Whom it would reach now", **_ADMIN)
async def preview_campaign(desk: AtDesk, campaign_id: UUID) -> ShownPreview:
    """The audience, with everybody it leaves out counted by reason."""
    async with desk.reading() as transaction:
        row = await _must_find(desk, transaction, campaign_id)
        return await _preview(desk, transaction, row)


@router.post("/campaigns/{campaign_id}/test", status_code=202, summary="Send it to one contact", **_ADMIN)
async def test_campaign(desk: AtDesk, campaign_id: UUID, wanted: ToContact) -> Tested:
    """At once and as that contact would get it; it counts in no result."""
    async with desk.changing("campaign.tested", campaign_id) as change:
        row = await _must_find(desk, change.transaction, campaign_id)
        await must_find(desk, change.transaction, wanted.contact_id)
        change.detail["contact_id"] = str(wanted.contact_id)
        try:
            words = await campaign_tests.send(
                change.transaction,
                desk.tenant_id,
                row,
                wanted.contact_id,
                cipher=await desk.cipher(change.transaction),
                at=desk.at,
            )
        except InvalidTemplate as invalid:
            raise Problem(409, "invalid_template", f"The campaign cannot be sent any more: {invalid}.") from invalid
        if words is None:
            raise Problem(409, "opted_out", "This contact opted out of messages.")
    desk.doors.ring()
    return Tested(text=words)


@router.post("/campaigns/{campaign_id}/start", summary="Start it, now or at its hour", **_ADMIN)
async def start_campaign(desk: AtDesk, campaign_id: UUID) -> Campaign:
    """A draft with an hour ahead becomes scheduled; starting a scheduled one starts it now.

    Refused with 422 while a variable without a default is not known of somebody in the audience.
    """
    async with desk.reading() as transaction:
        preview = await _preview(desk, transaction, await _must_find(desk, transaction, campaign_id))
    if preview.missing:
        named = ", ".join(f"{name} of {count}" for name, count in preview.missing.items())
        raise Problem(
            422,
            "missing_variable",
            f"Not known: {named} contacts. State a default, like {{{{name|friend}}}}, or narrow the audience.",
            missing=preview.missing,
        )
    return await _moved(desk, campaign_id, "campaign.started", campaigns.start)


@router.post("/campaigns/{campaign_id}/pause", summary="Stop sending for now", **_ADMIN)
async def pause_campaign(desk: AtDesk, campaign_id: UUID) -> Campaign:
    """Takes back what no worker has begun to send; what is under way arrives."""
    return await _moved(desk, campaign_id, "campaign.paused", campaigns.pause)


@router.post("/campaigns/{campaign_id}/resume", summary="Go on sending", **_ADMIN)
async def resume_campaign(desk: AtDesk, campaign_id: UUID) -> Campaign:
    return await _moved(desk, campaign_id, "campaign.resumed", campaigns.resume)


@router.post("/campaigns/{campaign_id}/cancel", summary="Stop it for good", **_ADMIN)
async def cancel_campaign(desk: AtDesk, campaign_id: UUID) -> Campaign:
    """Whoever was not written to yet is skipped and counted."""
    return await _moved(desk, campaign_id, "campaign.cancelled", campaigns.cancel)


@router.get("/campaigns/{campaign_id}/results", summary="What became of it", **_ADMIN)
async def read_results(desk: AtDesk, campaign_id: UUID) -> Results:
    async with desk.reading() as transaction:
        await _must_find(desk, transaction, campaign_id)
        found = await campaign_results.results(transaction, desk.tenant_id, campaign_id)
    return Results.model_validate(found | {"lift": asdict(found["lift"]) if found["lift"] else None})


@router.get("/campaigns/{campaign_id}/recipients", summary="Everybody it is for, with their state", **_ADMIN)
async def list_recipients(
    desk: AtDesk, campaign_id: UUID, state: RecipientState | None = None, limit: Limit = 50, cursor: Cursor = None
) -> Page[Recipient]:
    name = f"recipients:{campaign_id}"
    before_id = pages.opened(desk, name, cursor)["before_id"]
    async with desk.reading() as transaction:
        await _must_find(desk, transaction, campaign_id)
        rows = await campaign_results.recipients(
            transaction,
            desk.tenant_id,
            campaign_id,
            states=[state] if state else None,
            before_id=before_id,
            limit=pages.size(limit) + 1,
        )
    return pages.page(desk, name, Recipient, rows, limit=limit, by=("state_at", "id"))


async def _must_find(desk: Desk, transaction: AsyncConnection, campaign_id: UUID) -> Mapping[str, Any]:
    return await campaigns.by_id(transaction, desk.tenant_id, campaign_id) or not_found("campaign")


async def _preview(desk: Desk, transaction: AsyncConnection, row: Mapping[str, Any]) -> ShownPreview:
    try:
        plan = await campaign_audience.plan_of(transaction, desk.tenant_id, row)
    except InvalidTemplate as invalid:
        raise problems.invalid(("body", invalid.field), str(invalid)) from invalid
    found = await campaign_audience.preview(transaction, desk.tenant_id, plan, at=desk.at)
    return ShownPreview.model_validate(asdict(found))


async def _moved(desk: Desk, campaign_id: UUID, action: str, move: Move) -> Campaign:
    async with desk.changing(action, campaign_id) as change:
        try:
            now = await move(change.transaction, desk.tenant_id, campaign_id, at=desk.at)
        except WrongState as wrong:
            raise _conflict(wrong) from wrong
        if now is None:
            not_found("campaign")
    return Campaign.model_validate(now)


async def _values(desk: Desk, transaction: AsyncConnection, wanted: CampaignChange) -> dict[str, Any]:
    """As they are stored, each checked against the tenant's own things."""
    values = {name: getattr(wanted, name) for name in wanted.model_fields_set}
    definitions = {}
    if values.keys() & {"template", "audience"}:
        definitions = await contact_attributes.definitions(transaction, desk.tenant_id)
    if "template" in values:
        try:
            template.parse(wanted.template, attributes=definitions)
        except InvalidTemplate as invalid:
            raise problems.invalid(("body", "template"), str(invalid)) from invalid
    if "audience" in values:
        filters.refuse_unknown(definitions, wanted.audience, where=("body", "audience"))
        values["audience"] = contact_filters.written(wanted.audience)
    if wanted.instance_id is not None and not await instances.by_id(transaction, desk.tenant_id, wanted.instance_id):
        not_found("instance")
    if wanted.scheduled_at is not None:
        values["scheduled_at"] = await _instant(desk, transaction, wanted.scheduled_at)
    return values


async def _instant(desk: Desk, transaction: AsyncConnection, given: datetime) -> datetime:
    settings = await tenant_settings.read(transaction, desk.tenant_id) or {}
    try:
        found = wall_time.instant(given, timezone=settings.get("timezone", "UTC"))
    except NoSuchTime as skipped:
        raise problems.invalid(("body", "scheduled_at"), str(skipped)) from skipped
    # A year that was mistyped would write to everybody at once.
    if found <= desk.at:
        raise problems.invalid(("body", "scheduled_at"), "is past; leave it out to start at once", kind="past")
    return found


def _conflict(wrong: WrongState) -> Problem:
    return Problem(409, "wrong_state", f"Not possible: {wrong}.", state=wrong.state)
