"""Campaigns as people plan, start, stop and judge them; who gets a message when is decided elsewhere."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final, cast
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from mychatflow.rules import campaign as campaign_rules
from mychatflow.rules.campaign import State, Step
from mychatflow.store import campaign_credits

FIELDS: Final = (
    "name", "template", "audience", "instance_id", "scheduled_at", "messages_per_minute", "quiet_from", "quiet_until",
    "holdout_share",
)  # fmt: skip
_COLUMNS: Final = f"""
    id, {", ".join(FIELDS)}, state, started_at, frozen_at, finished_at, created_by, created_at, updated_at
"""
_PAGE = text(
    f"""
    select {_COLUMNS} from campaigns
    where tenant_id = :tenant_id
        and (cast(:state as text) is null or state = :state)
        and (
            cast(:before_at as timestamptz) is null
            or (created_at, id) < (cast(:before_at as timestamptz), cast(:before_id as uuid))
        )
    order by created_at desc, id desc limit :limit
    """  # noqa: S608 - constant columns
)
_ONE = text(f"select {_COLUMNS} from campaigns where tenant_id = :tenant_id and id = :id")  # noqa: S608
_LOCKED = text(f"select {_COLUMNS} from campaigns where tenant_id = :tenant_id and id = :id for update")  # noqa: S608
_DELETE = text("delete from campaigns where tenant_id = :tenant_id and id = :id")
_MOVE = text(
    f"""
    update campaigns set
        state = :state,
        started_at = case when :state = 'running' then coalesce(started_at, :at) else started_at end,
        finished_at = case when :state = 'cancelled' then :at else finished_at end,
        updated_at = now()
    where tenant_id = :tenant_id and id = :id
    returning {_COLUMNS}
    """  # noqa: S608
)
# What no worker has begun to send goes back; deleted, since its key must be free for the day it is sent after all.
_WITHDRAW = text(
    """
    with

    withdrawn as (
        delete from outbox using campaign_recipients as recipients
        where recipients.tenant_id = :tenant_id
            and recipients.campaign_id = :id
            and recipients.state = 'queued'
            and outbox.tenant_id = recipients.tenant_id
            and outbox.id = recipients.outbox_id
            and outbox.state = 'pending'
        returning outbox.tenant_id, outbox.id, outbox.interaction_id, outbox.interaction_at
    ),

    unsaid as (
        delete from interactions using withdrawn
        where interactions.tenant_id = withdrawn.tenant_id
            and interactions.id = withdrawn.interaction_id
            and interactions.occurred_at = withdrawn.interaction_at
    )

    update campaign_recipients set outbox_id = null
    from withdrawn
    where campaign_recipients.tenant_id = withdrawn.tenant_id and campaign_recipients.outbox_id = withdrawn.id
    """
)
_CALL_OFF = text(
    """
    update campaign_recipients set state = 'skipped', reason = 'campaign_cancelled', state_at = :at, body = null
    where tenant_id = :tenant_id and campaign_id = :id and state = 'queued' and outbox_id is null
    """
)


class WrongState(Exception):
    """The campaign is past the point where that can be done."""

    def __init__(self, step: Step, state: State) -> None:
        allowed = ", ".join(sorted(campaign_rules.FROM[step]))
        super().__init__(f"a campaign that is {state} cannot {step}; only one that is {allowed} can")
        self.state = state


async def page(
    transaction: AsyncConnection, tenant_id: UUID, *, state: str | None = None, **window: Any
) -> list[Mapping[str, Any]]:
    """Newest first; `window` is before_at, before_id and limit."""
    found = await transaction.execute(_PAGE, {"tenant_id": tenant_id, "state": state, **window})
    return [dict(row) for row in found.mappings()]


async def by_id(transaction: AsyncConnection, tenant_id: UUID, campaign_id: UUID) -> Mapping[str, Any] | None:
    row = (await transaction.execute(_ONE, {"tenant_id": tenant_id, "id": campaign_id})).mappings().one_or_none()
    return None if row is None else dict(row)


async def create(
    transaction: AsyncConnection,
    tenant_id: UUID,
    values: Mapping[str, Any],
    *,
    created_by: UUID | None,
    campaign_id: UUID | None = None,
) -> Mapping[str, Any]:
    """A draft; `values` are some of FIELDS, the audience as JSON text. Who is held out goes by its id."""
    given = {name: values[name] for name in FIELDS if name in values}
    given |= {"id": campaign_id} if campaign_id else {}
    names, marks = "".join(f", {name}" for name in given), "".join(f", {_mark(name)}" for name in given)
    statement = text(
        f"insert into campaigns (tenant_id, created_by{names}) values (:tenant_id, :created_by{marks})"  # noqa: S608
        f" returning {_COLUMNS}"
    )
    parameters = {"tenant_id": tenant_id, "created_by": created_by} | given
    return dict((await transaction.execute(statement, parameters)).mappings().one())


async def change(
    transaction: AsyncConnection, tenant_id: UUID, campaign_id: UUID, values: Mapping[str, Any]
) -> Mapping[str, Any] | None:
    """Only a draft; raises WrongState."""
    found = await _must_be(transaction, tenant_id, campaign_id, "change")
    given = {name: values[name] for name in FIELDS if name in values}
    if found is None or not given:
        return found
    parts = ", ".join(f"{name} = {_mark(name)}" for name in given)
    statement = text(
        f"update campaigns set {parts}, updated_at = now() where tenant_id = :tenant_id and id = :id"  # noqa: S608
        f" returning {_COLUMNS}"
    )
    parameters = {"tenant_id": tenant_id, "id": campaign_id} | given
    return dict((await transaction.execute(statement, parameters)).mappings().one())


async def delete(transaction: AsyncConnection, tenant_id: UUID, campaign_id: UUID) -> bool:
    """Only a draft; raises WrongState. False when there is none."""
    if await _must_be(transaction, tenant_id, campaign_id, "delete") is None:
        return False
    await transaction.execute(_DELETE, {"tenant_id": tenant_id, "id": campaign_id})
    return True


async def start(
    transaction: AsyncConnection, tenant_id: UUID, campaign_id: UUID, *, at: datetime
) -> Mapping[str, Any] | None:
    """A draft waits for its hour where it has one ahead; starting it again while it waits starts it now."""
    found = await _must_be(transaction, tenant_id, campaign_id, "start")
    if found is None:
        return None
    is_ahead = found["state"] == "draft" and found["scheduled_at"] is not None and found["scheduled_at"] > at
    return await _move(transaction, tenant_id, campaign_id, "scheduled" if is_ahead else "running", at=at)


async def pause(
    transaction: AsyncConnection, tenant_id: UUID, campaign_id: UUID, *, at: datetime
) -> Mapping[str, Any] | None:
    """Nothing more goes out but what a worker has in its hands."""
    if await _must_be(transaction, tenant_id, campaign_id, "pause") is None:
        return None
    await transaction.execute(_WITHDRAW, {"tenant_id": tenant_id, "id": campaign_id})
    return await _move(transaction, tenant_id, campaign_id, "paused", at=at)


async def resume(
    transaction: AsyncConnection, tenant_id: UUID, campaign_id: UUID, *, at: datetime
) -> Mapping[str, Any] | None:
    found = await _must_be(transaction, tenant_id, campaign_id, "resume")
    if found is None:
        return None
    is_ahead = found["started_at"] is None and found["scheduled_at"] is not None and found["scheduled_at"] > at
    return await _move(transaction, tenant_id, campaign_id, "scheduled" if is_ahead else "running", at=at)


async def cancel(
    transaction: AsyncConnection, tenant_id: UUID, campaign_id: UUID, *, at: datetime
) -> Mapping[str, Any] | None:
    """For good: whoever was not written to is left out and counted."""
    if await _must_be(transaction, tenant_id, campaign_id, "cancel") is None:
        return None
    values = {"tenant_id": tenant_id, "id": campaign_id, "at": at}
    await transaction.execute(_WITHDRAW, values)
    await campaign_credits.give_back(transaction, values)
    await transaction.execute(_CALL_OFF, values)
    return await _move(transaction, tenant_id, campaign_id, "cancelled", at=at)


async def _must_be(
    transaction: AsyncConnection, tenant_id: UUID, campaign_id: UUID, step: Step
) -> Mapping[str, Any] | None:
    """The campaign, locked: a worker hands over nothing of it meanwhile."""
    row = (await transaction.execute(_LOCKED, {"tenant_id": tenant_id, "id": campaign_id})).mappings().one_or_none()
    if row is None:
        return None
    state = cast("State", row["state"])
    if not campaign_rules.may(step, state):
        raise WrongState(step, state)
    return dict(row)


async def _move(
    transaction: AsyncConnection, tenant_id: UUID, campaign_id: UUID, state: State, *, at: datetime
) -> Mapping[str, Any]:
    values = {"tenant_id": tenant_id, "id": campaign_id, "state": state, "at": at}
    return dict((await transaction.execute(_MOVE, values)).mappings().one())


def _mark(name: str) -> str:
    return "cast(:audience as jsonb)" if name == "audience" else f":{name}"
