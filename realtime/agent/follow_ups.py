"""Sends the follow-ups that are due, after asking once more whether each still may go."""

import asyncio
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from typing import Any, Final
from uuid import UUID

import structlog

from mychatflow.events import named_id
from mychatflow.rules import business_hours, contact_filter, follow_up, template
from mychatflow.rules.contact_filter import ContactFacts
from mychatflow.rules.follow_up import FollowUpDecision, FollowUpFacts, FollowUpReason
from mychatflow.rules.template import InvalidTemplate
from mychatflow.store import contact_filters
from mychatflow.store.cipher import Unreadable
from realtime import rounds
from realtime.agent.tenants import Tenant, TenantBook
from realtime.channels.waha import make_message_id
from realtime.engine import sql
from realtime.engine.pool import Pool

_EVERY_SECONDS: Final = 5.0
_MOST: Final = 100
log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Due:
    """One due step with all that the rule asks."""

    tenant_id: UUID
    id: UUID
    run_id: UUID
    sequence_id: UUID
    contact_id: UUID
    step: int
    due_at: datetime
    scheduled_at: datetime
    template: str
    condition: Any
    delay_minutes: int
    next_step: int | None
    next_delay_minutes: int | None
    is_sequence_active: bool
    quiet_from: time
    quiet_until: time
    name: str | None
    phone: str | None
    tags: list[str]
    attributes: Any
    lead_grade: str
    owner: str
    chat_id: str
    preferred_language: str | None
    last_inbound_at: datetime | None
    is_handed_off: bool
    is_opted_out: bool
    unanswered_count: int
    contact_timezone: str | None
    tenant_timezone: str
    business_name: str | None
    tenant_version: str
    instance_id: UUID
    engine: str
    is_connected: bool
    session_window_hours: int | None
    episode_id: UUID | None
    last_human_at: datetime | None
    has_opted_in: bool
    has_booked: bool


class FollowUps:
    def __init__(self, pool: Pool, tenants: TenantBook) -> None:
        self._pool = pool
        self._tenants = tenants

    async def run(self, stopping: asyncio.Event) -> None:
        """Every few seconds until told to stop; the schedule marks what is due, here it is sent."""
        await rounds.keep_looking(
            lambda: self.send_due(at=datetime.now(UTC)),
            seconds=_EVERY_SECONDS,
            stopping=stopping,
            while_away="follow-ups wait for Postgres",
        )

    async def send_due(self, *, at: datetime) -> int:
        """Decide every due step; returns how many were queued to be sent."""
        ((found,),) = await sql.run(self._pool, ("any_due_follow_up", {}), is_durable=False)
        if not found["is_any"]:
            return 0
        (rows,) = await sql.run(self._pool, ("due_follow_ups", {"most": _MOST}), is_durable=False)
        decisions = []
        # One message to a person in one look: the next look counts it among those that nobody answered.
        for due in {row["contact_id"]: Due(**row) for row in reversed(rows)}.values():
            decision = follow_up.decide(_facts(due, at), at=at)
            if decision.action == "wait" and decision.until is None:
                continue
            try:
                tenant = await self._tenants.get(due.tenant_id, version=due.tenant_version)
            except Unreadable:
                # Nothing of theirs can be written, and everybody else's must go on.
                log.warning("follow-up not decided", tenant_id=str(due.tenant_id), cause="Unreadable")
                continue
            decisions.append(_written(due, decision, tenant, at=at))
        if not decisions:
            return 0
        (counts,) = await sql.run(self._pool, ("decide_follow_ups", {"decisions": sql.rows(decisions)}))
        return int(counts[0]["sent_count"])


def _is_condition_met(due: Due, at: datetime) -> bool:
    facts = ContactFacts(
        tags=frozenset(due.tags),
        grade=due.lead_grade,
        language=due.preferred_language,
        last_inbound_at=due.last_inbound_at,
        is_opted_in=due.has_opted_in and not due.is_opted_out,
        is_handed_off=due.is_handed_off,
        owner=due.owner,
        attributes=due.attributes,
    )
    return contact_filter.matches(contact_filters.read(due.condition), facts, at=at)


def _facts(due: Due, at: datetime) -> FollowUpFacts:
    return FollowUpFacts(
        scheduled_at=due.scheduled_at,
        due_at=due.due_at,
        delay=timedelta(minutes=due.delay_minutes),
        timezone=_zone(due),
        quiet_from=due.quiet_from,
        quiet_until=due.quiet_until,
        last_inbound_at=due.last_inbound_at,
        last_human_at=due.last_human_at,
        is_opted_out=due.is_opted_out,
        is_handed_off=due.is_handed_off,
        has_booked=due.has_booked,
        is_sequence_active=due.is_sequence_active,
        is_connected=due.is_connected,
        unanswered_count=due.unanswered_count,
        is_condition_met=_is_condition_met(due, at),
        session_window=timedelta(hours=due.session_window_hours) if due.session_window_hours else None,
    )


def _zone(due: Due) -> str:
    for name in (due.contact_timezone, due.tenant_timezone):
        try:
            if name:
                business_hours.zone(name)
                return name
        except business_hours.InvalidHours:
            continue
    return "UTC"


def _written(due: Due, decision: FollowUpDecision, tenant: Tenant, *, at: datetime) -> dict[str, Any]:
    row: dict[str, Any] = {
        "tenant_id": due.tenant_id,
        "id": due.id,
        "run_id": due.run_id,
        "sequence_id": due.sequence_id,
        "contact_id": due.contact_id,
        "instance_id": due.instance_id,
        "chat_id": due.chat_id,
        "episode_id": due.episode_id,
        "reason": str(decision.reason),
        "at": at,
    }
    match decision.action:
        case "wait":
            return row | {"state": "scheduled", "due_at": decision.until}
        case "cancel":
            return row | {"state": "cancelled", "ends": "cancelled"}
        case "drop":
            return row | {"state": "dropped"} | _following(due, at)
        case "send":
            return row | _said(due, tenant) | _following(due, at)


def _following(due: Due, at: datetime) -> dict[str, Any]:
    """The next step, or the end of the run."""
    if due.next_step is None or due.next_delay_minutes is None:
        return {"ends": "finished"}
    return {
        "next_id": named_id("follow_up", due.tenant_id, f"{due.run_id}:{due.next_step}"),
        "next_step": due.next_step,
        "next_due_at": at + timedelta(minutes=due.next_delay_minutes),
    }


def _said(due: Due, tenant: Tenant) -> dict[str, Any]:
    """The message; a text that nobody can fill in is dropped, and its sequence goes on."""
    try:
        words = template.parse(due.template, attributes=None).render(
            template.values_of(
                name=due.name, phone=due.phone, business_name=due.business_name, attributes=due.attributes
            )
        )
    except InvalidTemplate:
        return {"state": "dropped", "reason": str(FollowUpReason.INVALID_TEMPLATE)}
    return {"state": "sent"} | _message(due, words, tenant)


def _message(due: Due, text: str, tenant: Tenant) -> dict[str, Any]:
    key = f"follow_up:{due.id}"
    outbox_id = named_id("outbox", due.tenant_id, key)
    interaction_id = named_id("interaction", due.tenant_id, key)
    return {
        "outbox_id": outbox_id,
        "interaction_id": interaction_id,
        "key": key,
        "body": tenant.cipher.encrypt(text, row_id=outbox_id),
        "content": tenant.cipher.encrypt(text, row_id=interaction_id),
        "content_length": len(text),
        "language": due.preferred_language,
        "wa_message_id": None if due.engine == "WEBJS" else make_message_id(),
        "token_hashes": tenant.cipher.token_hashes(text),
    }
