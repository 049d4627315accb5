"""Turns what was read into the rows that a turn stores, whether or not anybody answers."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

from mychatflow.events import named_id
from mychatflow.rules import lead_score
from mychatflow.rules.lead_score import ScoreFacts
from realtime.agent import episodes, told_rows
from realtime.agent.reading import Reading, Understanding
from realtime.agent.tenants import Tenant
from realtime.agent.told_rows import Scored
from realtime.engine.facts import Facts
from realtime.engine.records import (
    Cancellation,
    ContactState,
    Identity,
    Takeover,
)
from realtime.engine.work import Chat


def wa_id_of(chat: Chat, reading: Reading) -> str:
    """Who writes: the phone's id where it is known, since a hidden id may change."""
    if chat.contact is not None:
        return chat.contact.wa_id
    phones = (each.message.phone for each in reading.customer + reading.human)
    phone = next((phone for phone in phones if phone), None)
    return f"{phone.removeprefix('+')}@c.us" if phone else chat.lease.chat_id


def contact_id_of(chat: Chat, reading: Reading) -> UUID:
    if chat.contact is not None:
        return chat.contact.id
    return named_id("contact", chat.lease.tenant_id, wa_id_of(chat, reading))


def score(chat: Chat, reading: Reading, understanding: Understanding, tenant: Tenant) -> Scored:
    """The score's facts after these messages, and the score where it may have changed."""
    facts = _known_facts(chat)
    if not tenant.switches.lead_scoring_enabled:
        return facts, None
    fresh = {each.received.row.seq: each for each in understanding.messages if not each.received.is_stored}
    told = [each for each in reading.customer + reading.human if not each.is_stored]
    countable = False
    # Within one second the customer spoke before we did.
    for received in sorted(told, key=lambda each: (each.at, each.row.is_own)):
        understood = fresh.get(received.row.seq)
        facts = lead_score.advance(
            facts,
            direction="out" if received.row.is_own else "in",
            at=received.at,
            question=understood is not None and understood.signals.is_question,
            intents=frozenset(understood.signals.intents) if understood else frozenset(),
            is_countable=understood is None or understood.is_countable,
        )
        countable = countable or (understood is not None and understood.is_countable)
    if not countable or facts.last_inbound_at is None:
        return facts, None
    return facts, lead_score.score(facts, as_of=facts.last_inbound_at)


def facts(
    chat: Chat,
    reading: Reading,
    understanding: Understanding,
    tenant: Tenant,
    *,
    at: datetime,
) -> Facts:
    """All rows of the turn's facts."""
    scored = score(chat, reading, understanding, tenant)
    contact_id = contact_id_of(chat, reading)
    told = [each for each in reading.customer + reading.human if not each.is_stored]
    placed = None
    if told:
        first = min(told, key=lambda each: each.at)
        placed = episodes.place(
            chat, contact_id, first_at=first.at, first_id=first.interaction_id, language=understanding.language
        )
    episode_id = placed.entry.id if placed else chat.episode.id if chat.episode else None
    events = list(placed.events) if placed else []
    events += [told_rows.received_event(chat, each, contact_id, episode_id, at) for each in understanding.messages]
    events += [told_rows.human_event(chat, each, contact_id, episode_id) for each in reading.human]
    state = _contact_state(chat, reading, understanding, scored, tenant)
    entry = told_rows.score_entry(chat, scored, contact_id)
    if entry is not None:
        events.append(told_rows.score_event(chat, entry, episode_id))
    return Facts(
        lease=chat.lease,
        contact=state,
        identities=_identities(chat, reading, contact_id),
        messages=tuple(
            [told_rows.customer_row(each, contact_id, episode_id, tenant.cipher) for each in understanding.messages]
            + [told_rows.human_row(each, contact_id, episode_id, tenant.cipher) for each in reading.human]
        ),
        changes=tuple(told_rows.change(chat, each, contact_id, tenant.cipher) for each in reading.changes),
        episode=placed.entry if placed else None,
        closing=placed.closing if placed else None,
        score=entry,
        takeover=_takeover(chat, reading, contact_id),
        cancellation=_cancellation(reading, contact_id),
        events=tuple(events),
    )


def _known_facts(chat: Chat) -> ScoreFacts:
    contact = chat.contact
    if contact is None:
        return lead_score.NO_FACTS
    return ScoreFacts(
        inbound_count=contact.lead_inbound_count,
        question_count=contact.lead_question_count,
        intents=frozenset(contact.lead_intents),
        reply_latencies=tuple(contact.lead_reply_latencies),
        awaiting_reply_since=contact.lead_awaiting_reply_since,
        last_inbound_at=contact.lead_last_inbound_at,
    )


def _contact_state(
    chat: Chat, reading: Reading, understanding: Understanding, scored: Scored, tenant: Tenant
) -> ContactState:
    contact, (known, points) = chat.contact, scored
    base = points or lead_score.score(known, as_of=known.last_inbound_at or datetime.now(UTC))
    times = [each.at for each in reading.customer + reading.human]
    names = [each.message.push_name for each in reading.customer if each.message.push_name]
    phones = [each.message.phone for each in reading.customer + reading.human if each.message.phone]
    locked_at = contact.language_locked_at if contact else None
    if understanding.is_language_locked and locked_at is None and times:
        locked_at = max(times)
    return ContactState(
        id=contact_id_of(chat, reading),
        wa_id=wa_id_of(chat, reading),
        name=names[-1].replace("\x00", "\ufffd") if names else None,
        phone=phones[-1] if phones else None,
        lead_score=points.score if points else contact.lead_score if contact else 0,
        lead_grade=points.grade if points else contact.lead_grade if contact else "F",
        lead_base=base.base,
        is_scored=tenant.switches.lead_scoring_enabled,
        lead_intents=tuple(sorted(known.intents)),
        lead_reply_latencies=known.reply_latencies,
        lead_awaiting_reply_since=known.awaiting_reply_since,
        lead_last_inbound_at=known.last_inbound_at,
        lead_scored_at=known.last_inbound_at if points else None,
        owner="human" if reading.human else "agent",
        paused_until=_paused_until(reading, tenant),
        preferred_language=understanding.language
        if understanding.messages
        else contact.preferred_language
        if contact
        else None,
        language_locked_at=locked_at,
        first_message_at=min(times, default=None),
        last_message_at=max(times, default=None),
        last_inbound_at=max((each.at for each in reading.customer), default=None),
        last_outgoing_at=max((each.at for each in reading.human), default=None),
    )


def _paused_until(reading: Reading, tenant: Tenant) -> datetime | None:
    """A person who answered by hand goes on for a while; counted from then, since it may be an old message."""
    if not reading.human:
        return None
    return max(each.at for each in reading.human) + timedelta(minutes=tenant.switches.human_pause_minutes)


def _identities(chat: Chat, reading: Reading, contact_id: UUID) -> tuple[Identity, ...]:
    if chat.contact is not None and chat.contact.wa_id == chat.lease.chat_id:
        return ()
    found: dict[tuple[str, str], Identity] = {}
    for each in reading.customer + reading.human:
        for kind, value in (("phone", each.message.phone), ("lid", each.message.lid)):
            if value:
                found[kind, value] = Identity(contact_id=contact_id, kind=kind, value=value)
    return tuple(found.values())


def _takeover(chat: Chat, reading: Reading, contact_id: UUID) -> Takeover | None:
    if not reading.human:
        return None
    last = max(reading.human, key=lambda each: each.at)
    named = named_id("ownership", chat.lease.tenant_id, str(last.interaction_id))
    return Takeover(id=named, contact_id=contact_id, at=last.at)


def _cancellation(reading: Reading, contact_id: UUID) -> Cancellation | None:
    if reading.fresh:
        return Cancellation(contact_id=contact_id, reason="customer_wrote")
    return Cancellation(contact_id=contact_id, reason="human_wrote") if reading.human else None
