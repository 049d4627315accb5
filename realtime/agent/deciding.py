"""Gathers the facts that the rules ask for, and asks them."""

from datetime import UTC, datetime, timedelta
from typing import Final

from mychatflow.rules import activation, gates, plan
from mychatflow.rules.activation import ActivationDecision, ActivationFacts
from mychatflow.rules.gates import GateAction, GateDecision, GateFacts
from realtime.agent import context
from realtime.agent.drafting import Decision, Draft
from realtime.agent.reading import Reading, Understanding
from realtime.agent.tenants import Tenant
from realtime.engine.records import Reservation
from realtime.engine.work import Chat

_REPEATS: Final = 3
_NOBODY = ActivationFacts(text="")


def activate(chat: Chat, tenant: Tenant, reading: Reading) -> ActivationDecision:
    """By the time the latest message was received, never by the time it is processed."""
    if not reading.customer:
        return activation.decide(tenant.activation, _NOBODY, at=datetime.now(UTC))
    first_at = min(each.at for each in reading.customer)
    contact = chat.contact
    facts = ActivationFacts(
        # The customer's own words, without what we say about a file beside them.
        text="\n".join(each.text for each in reading.customer),
        session_expires_at=contact.session_expires_at if contact else None,
        # Nothing was written either way before; what an earlier attempt at this turn stored is this turn's own.
        is_new_contact=contact is None
        or (
            (contact.first_message_at is None or contact.first_message_at >= first_at)
            and all(message.occurred_at >= first_at for message in chat.recent)
        ),
        away_period=contact.away_period if contact else None,
    )
    return activation.decide(tenant.activation, facts, at=max(each.row.received_at for each in reading.customer))


def decide(
    chat: Chat,
    tenant: Tenant,
    reading: Reading,
    understanding: Understanding,
    active: ActivationDecision,
    *,
    at: datetime,
    has_credits: bool = True,
) -> GateDecision:
    """The gates, with a person's own answer of this very turn counted in."""
    switches, contact = tenant.switches, chat.contact
    alternations, identical = _loop_facts(chat, tenant, reading, at)
    facts = GateFacts(
        sent_at=max((each.at for each in reading.customer), default=at),
        activation=active,
        is_answerable=bool(reading.answerable),
        command=understanding.command,
        is_opted_out=contact is not None and contact.opted_out_at is not None,
        is_handed_off=contact is not None and contact.is_handed_off,
        is_human_in_charge=contact is not None and contact.owner == "human",
        paused_until=_paused_until(chat, tenant, reading),
        handoff=understanding.handoff,
        is_auto_reply_enabled=switches.auto_reply_enabled,
        is_connected=_is_connected(chat, reading, at),
        has_credits=has_credits and not chat.is_suspended and chat.used_today < _allowed(chat) + 1,
        freshness=timedelta(minutes=switches.freshness_minutes),
        reply_rate=switches.reply_rate_per_contact_hour,
        replies_last_hour=chat.replies_last_hour,
        is_loop_guard_enabled=switches.loop_guard_enabled,
        alternations=alternations,
        identical_inbound=identical,
        is_own_number=chat.is_own_number,
        agent_turns=sum(
            message.author == "agent" and at - message.occurred_at <= gates.OWN_NUMBER_WINDOW for message in chat.recent
        ),
    )
    return gates.decide(facts, at=at)


def reservation(chat: Chat, reading: Reading, decision: GateDecision, *, at: datetime) -> Reservation | None:
    """One reply of the plan, taken before a model is asked."""
    if decision.action is not GateAction.REPLY or not reading.customer:
        return None
    day, subject = at.astimezone(UTC).date(), f"reply:{min(each.row.seq for each in reading.customer)}"
    return Reservation(day=day, subject=subject, allowed=_allowed(chat), is_counted=chat.counted_on == day)


def has_facts(chat: Chat, reading: Reading) -> bool:
    """Echoes alone change nothing, and a reaction of a stranger makes no contact."""
    return bool(reading.customer or reading.human or (reading.changes and chat.contact))


def follow_up_note(tenant: Tenant, draft: Draft) -> tuple[str, str]:
    if draft.decision is not Decision.REPLY or not tenant.switches.follow_up_enabled or tenant.first_step is None:
        return "none", "nothing to plan"
    return "planned", f"in {tenant.first_step.delay_minutes} minutes of silence"


def _allowed(chat: Chat) -> int:
    return plan.DAILY_MESSAGES[chat.plan]


def _paused_until(chat: Chat, tenant: Tenant, reading: Reading) -> datetime | None:
    if chat.contact and chat.contact.owner == "human" and chat.contact.paused_until is None:
        # Taken over without an end: an answer by phone, which may be an old one, puts none to it.
        return None
    known = [chat.contact.paused_until] if chat.contact and chat.contact.paused_until else []
    if reading.human:
        pause = timedelta(minutes=tenant.switches.human_pause_minutes)
        known.append(max(each.at for each in reading.human) + pause)
    return max(known, default=None)


def _is_connected(chat: Chat, reading: Reading, at: datetime) -> bool:
    number = chat.number
    if number.status == "connected":
        return True
    if number.status == "restricted":
        return number.restricted_until is not None and number.restricted_until <= at
    if number.status == "auth_failed" or number.last_event_at is None or not reading.customer:
        return False
    # A message that came after the news of the loss proves that the number is back; that news is still on its way.
    return max(each.row.received_at for each in reading.customer) > number.last_event_at


def _loop_facts(chat: Chat, tenant: Tenant, reading: Reading, at: datetime) -> tuple[int, int]:
    """How often the two sides took turns of late, and how often the customer said the same."""
    if not tenant.switches.loop_guard_enabled:
        return 0, 1
    stored = {each.interaction_id for each in reading.customer}
    before = [message for message in chat.recent if message.id not in stored]
    turns: list[tuple[datetime, gates.Direction]] = [
        (message.occurred_at, "in" if message.direction == "incoming" else "out")
        for message in before
        if message.author in {"customer", "agent"}
    ]
    turns += [(each.at, "in") for each in reading.customer]
    said = [context.opened(message, tenant) for message in before if message.direction == "incoming"][-_REPEATS:]
    texts = said + [each.text for each in reading.customer]
    identical = gates.count_identical(texts) if texts and texts[-1] else 1
    return gates.count_alternations(turns, at=at), identical
