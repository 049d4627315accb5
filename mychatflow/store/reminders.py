"""Reminders of appointments: planned with the booking as follow-ups, planned anew when it moves, sent once."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from mychatflow.events import named_id
from mychatflow.rules import reminder
from mychatflow.rules.reminder import ReminderDecision, ReminderFacts

_WISHED = text("select appointment_reminder_minutes from settings where tenant_id = :tenant_id")
_DROP = text(
    """
    update follow_ups set state = 'cancelled', reason = :reason, decided_at = :at
    where tenant_id = :tenant_id and appointment_id = :appointment_id and state in ('scheduled', 'due')
    """
)
_PLAN = text(
    """
    insert into follow_ups (tenant_id, id, contact_id, step, due_at, scheduled_at, appointment_id)
    values (:tenant_id, :id, :contact_id, :step, :due_at, :at, :appointment_id)
    on conflict do nothing
    """
)
_DUE = text(
    """
    select
        follow_ups.tenant_id,
        follow_ups.id,
        follow_ups.contact_id,
        follow_ups.appointment_id,
        services.name as service,
        appointments.starts_at,
        appointments.timezone,
        appointments.status = 'booked' as is_booked,
        contacts.opted_out_at is not null as is_opted_out,
        instances.status = 'connected' as is_connected,
        coalesce(contacts.preferred_language, settings.default_language, 'en') as language,
        coalesce(contacts.timezone, appointments.timezone) as contact_timezone,
        (
            select min(later.due_at) from follow_ups as later
            where later.tenant_id = follow_ups.tenant_id
                -- Named for its index.
                and later.contact_id = follow_ups.contact_id
                and later.appointment_id = follow_ups.appointment_id
                and later.step > follow_ups.step
                and later.state in ('scheduled', 'due')
        ) as next_at
    from follow_ups
    inner join tenants
        on tenants.id = follow_ups.tenant_id and tenants.suspended_at is null and tenants.deleted_at is null
    inner join appointments
        on appointments.tenant_id = follow_ups.tenant_id and appointments.id = follow_ups.appointment_id
    inner join services on services.tenant_id = appointments.tenant_id and services.id = appointments.service_id
    inner join contacts on contacts.tenant_id = follow_ups.tenant_id and contacts.id = follow_ups.contact_id
    inner join instances on instances.tenant_id = contacts.tenant_id and instances.id = contacts.instance_id
    left join settings on settings.tenant_id = follow_ups.tenant_id
    where follow_ups.state in ('scheduled', 'due') and follow_ups.due_at <= :at
    order by follow_ups.due_at limit :limit
    """
)
_DECIDE = text(
    """
    update follow_ups set
        state = :state, reason = :reason, due_at = coalesce(cast(:due_at as timestamptz), due_at),
        outbox_id = cast(:outbox_id as uuid), decided_at = :at
    where tenant_id = :tenant_id and id = :id and state in ('scheduled', 'due')
    """
)
_STATES = {"send": "sent", "wait": "scheduled", "cancel": "cancelled", "drop": "dropped"}


@dataclass(frozen=True, slots=True, kw_only=True)
class DueReminder:
    tenant_id: UUID
    id: UUID
    contact_id: UUID
    appointment_id: UUID
    service: str
    starts_at: datetime
    timezone: str
    is_booked: bool
    is_opted_out: bool
    is_connected: bool
    language: str
    contact_timezone: str
    next_at: datetime | None

    def decide(self, *, at: datetime) -> ReminderDecision:
        facts = ReminderFacts(
            starts_at=self.starts_at,
            is_booked=self.is_booked,
            is_opted_out=self.is_opted_out,
            is_connected=self.is_connected,
            timezone=self.contact_timezone,
            next_at=self.next_at,
        )
        return reminder.decide(facts, at=at)


async def plan(transaction: AsyncConnection, tenant_id: UUID, booked: Mapping[str, Any], *, at: datetime) -> None:
    """In place of any that were planned for the time before."""
    await drop(transaction, tenant_id, booked["id"], reason="moved", at=at)
    wished = (await transaction.execute(_WISHED, {"tenant_id": tenant_id})).scalar_one_or_none() or ()
    for step, due_at in enumerate(reminder.moments(booked["starts_at"], minutes_before=wished, booked_at=at), 1):
        values = {
            "tenant_id": tenant_id,
            "id": named_id("reminder", tenant_id, f"{booked['id']}:{booked['ics_sequence']}:{step}"),
            "contact_id": booked["contact_id"],
            "appointment_id": booked["id"],
            "step": step,
            "due_at": due_at,
            "at": at,
        }
        await transaction.execute(_PLAN, values)


async def drop(
    transaction: AsyncConnection, tenant_id: UUID, appointment_id: UUID, *, reason: str, at: datetime
) -> None:
    values = {"tenant_id": tenant_id, "appointment_id": appointment_id, "reason": reason, "at": at}
    await transaction.execute(_DROP, values)


async def due(transaction: AsyncConnection, *, at: datetime, limit: int) -> list[DueReminder]:
    """Of all tenants: a platform transaction."""
    found = await transaction.execute(_DUE, {"at": at, "limit": limit})
    return [DueReminder(**row) for row in found.mappings()]


async def decide(
    transaction: AsyncConnection,
    due_reminder: DueReminder,
    decision: ReminderDecision,
    *,
    outbox_id: UUID | None,
    at: datetime,
) -> bool:
    """Whether the decision was ours to write: of two workers the first takes it."""
    values = {
        "tenant_id": due_reminder.tenant_id,
        "id": due_reminder.id,
        "state": _STATES[decision.action],
        "reason": str(decision.reason),
        "due_at": decision.until,
        "outbox_id": outbox_id,
        "at": at,
    }
    return (await transaction.execute(_DECIDE, values)).rowcount > 0
