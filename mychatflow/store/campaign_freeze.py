"""The start of a campaign: its audience written down once, every text filled in and sealed, batch by batch."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from mychatflow.events import named_id
from mychatflow.rules import campaign, holdout, template
from mychatflow.store import campaign_audience
from mychatflow.store.campaign_audience import Plan
from mychatflow.store.cipher import TenantCipher

BATCH: Final = 2_000
_TO_FREEZE = text(
    """
    select id, template, audience, instance_id, quiet_from, quiet_until, holdout_share, started_at, freeze_cursor
    from campaigns
    where tenant_id = :tenant_id and id = :id and state = 'running' and frozen_at is null
    for no key update skip locked
    """
)
_ADVANCE = text(
    """
    update campaigns set freeze_cursor = :cursor, frozen_at = cast(:frozen_at as timestamptz)
    where tenant_id = :tenant_id and id = :id
    """
)
_OPEN_PACES = text(
    """
    insert into campaign_paces (tenant_id, instance_id, free_at)
    select distinct tenant_id, instance_id, cast(:at as timestamptz) from campaign_recipients
    where tenant_id = :tenant_id and campaign_id = :id and state = 'queued' and outbox_id is null
    on conflict do nothing
    """
)
# In binary: as text a sealed body costs a hundred times as much.
_RECIPIENTS: Final = b"""
    insert into campaign_recipients (
        tenant_id, campaign_id, contact_id, instance_id, body, state, reason, due_at, state_at
    )
    select %(tenant_id)s, %(campaign_id)s, given.*, %(at)s from unnest(
        %(contact_ids)b::uuid[], %(instance_ids)b::uuid[], %(bodies)b::bytea[], %(states)b::text[],
        %(reasons)b::text[], %(due_ats)b::timestamptz[]
    ) as given
    on conflict (tenant_id, campaign_id, contact_id) do nothing
"""


async def freeze_next(
    transaction: AsyncConnection, tenant_id: UUID, campaign_id: UUID, *, cipher: TenantCipher, at: datetime
) -> bool:
    """Write the next recipients; False when all are written, or when somebody else is at it.

    Each call is a transaction: a worker that dies leaves whole batches, and the next goes on behind them.
    """
    values = {"tenant_id": tenant_id, "id": campaign_id}
    row = (await transaction.execute(_TO_FREEZE, values)).mappings().one_or_none()
    if row is None:
        return False
    plan = await campaign_audience.plan_of(transaction, tenant_id, dict(row))
    # Counted from the start, so that the people of the last batch are asked the same as those of the first.
    people = await _people(transaction, tenant_id, plan, after=row["freeze_cursor"], at=row["started_at"] or at)
    if people:
        raw = await transaction.get_raw_connection()
        driver: Any = raw.driver_connection
        columns = _columns(people, plan, cipher, at=at)
        await driver.execute(_RECIPIENTS, columns | {"tenant_id": tenant_id, "campaign_id": campaign_id, "at": at})
    is_last = len(people) < BATCH
    # At the end it names nobody: whoever it named last may be forgotten one day.
    cursor = None if is_last else people[-1]["id"]
    await transaction.execute(_ADVANCE, values | {"cursor": cursor, "frozen_at": at if is_last else None})
    if is_last:
        await transaction.execute(_OPEN_PACES, values | {"at": at})
    return not is_last


async def _people(
    transaction: AsyncConnection, tenant_id: UUID, plan: Plan, *, after: UUID | None, at: datetime
) -> Sequence[Mapping[str, Any]]:
    asked = campaign_audience.judged(plan, at=at)
    statement = text(
        f"""
        select
            contacts.id, contacts.name, contacts.phone, contacts.attributes, contacts.timezone,
            coalesce(cast(:instance_id as uuid), contacts.instance_id) as instance_id,
            {campaign_audience.reason_of(plan.template.required())} as reason,
            {holdout.HELD_OUT_SQL} as is_held_out
        from contacts
        where contacts.tenant_id = :tenant_id and {asked.sql}
            and (cast(:after as uuid) is null or contacts.id > cast(:after as uuid))
        order by contacts.id limit :limit
        """  # noqa: S608 - constant parts
    )
    values = asked.values | {
        "tenant_id": tenant_id, "instance_id": plan.instance_id, "after": after, "limit": BATCH,
    }  # fmt: skip
    return [dict(row) for row in (await transaction.execute(statement, values)).mappings()]


def _columns(
    people: Sequence[Mapping[str, Any]], plan: Plan, cipher: TenantCipher, *, at: datetime
) -> dict[str, list[Any]]:
    states = [_state(person) for person in people]
    return {
        "contact_ids": [person["id"] for person in people],
        "instance_ids": [person["instance_id"] for person in people],
        "bodies": [
            _sealed(person, plan, cipher) if state == "queued" else None
            for person, state in zip(people, states, strict=True)
        ],
        "states": states,
        "reasons": [person["reason"] or ("control group" if person["is_held_out"] else None) for person in people],
        "due_ats": [
            campaign.wakes_at(
                at,
                timezone=campaign_audience.known_zone(person["timezone"], plan.timezone),
                quiet_from=plan.quiet_from,
                quiet_until=plan.quiet_until,
            )
            for person in people
        ],
    }


def _state(person: Mapping[str, Any]) -> str:
    if person["reason"] is not None:
        return "skipped"
    return "held_out" if person["is_held_out"] else "queued"


def send_key(campaign_id: UUID, contact_id: UUID) -> str:
    """The outbox's key: nobody gets a campaign twice."""
    return f"campaign:{campaign_id}:{contact_id}"


def words_for(person: Mapping[str, Any], plan: Plan) -> str:
    """The text as that contact gets it; `person` has name, phone and attributes."""
    return plan.template.render(
        template.values_of(
            name=person["name"],
            phone=person["phone"],
            business_name=plan.business_name,
            attributes=person["attributes"],
        )
    )


def _sealed(person: Mapping[str, Any], plan: Plan, cipher: TenantCipher) -> bytes:
    """Sealed for the outbox row it will become, so that handing over need not open it again."""
    key = send_key(plan.campaign_id, person["id"])
    return cipher.encrypt(words_for(person, plan), row_id=named_id("outbox", cipher.tenant_id, key))
