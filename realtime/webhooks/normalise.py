"""Turns a webhook of any gateway version into one message of ours, or says why there is nothing to keep."""

import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from realtime.webhooks import wordless
from realtime.webhooks.envelope import Envelope, LongTime, Malformed, Payload, Time, payload_of
from realtime.webhooks.message_parts import (
    bare,
    cards_of,
    chat_of,
    location_of,
    media_of,
    phone_and_lid,
    protocol_target,
    push_name_of,
    reply_to_of,
    text_of,
    type_of,
)
from realtime.webhooks.messages import Acknowledgement, Incoming, IncomingMessage, MessageKind, SessionChange

# WhatsApp did not exist before; a clock that says so is broken, and then the order of arrival is the truth.
_FIRST: Final = datetime(2009, 1, 1, tzinfo=UTC)
_AHEAD: Final = timedelta(minutes=5)
# A webhook about an older message (history, a late retry of the gateway) says nothing of the order within a second.
_HEARD_WITHIN_SECONDS: Final = 3.0
_MILLISECONDS_FROM: Final = 100_000_000_000
_LAST_SECOND: Final = 253_402_300_799
_ANSWERED_CHATS: Final = ("@c.us", "@lid")
_SESSION_STATES: Final = re.compile(r"[A-Z_]{2,40}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Ignored:
    """Nothing of ours to do; `reason` is one of a few fixed words."""

    reason: str


def seconds_of(time: Time) -> float | None:
    """Unix seconds of a number in seconds or milliseconds, of its text or of a Long; None when it is none."""
    match time:
        case None:
            return None
        case LongTime():
            value: float = (time.high << 32) + (time.low & 0xFFFFFFFF)
        case str():
            try:
                value = float(time)
            except ValueError:
                return None
        case int() | float():
            value = time
    if not math.isfinite(value) or value < 0:
        return None
    seconds = value / 1000 if value >= _MILLISECONDS_FROM else float(value)
    return seconds if seconds <= _LAST_SECOND else None


def sent_at_of(time: Time, *, received_at: datetime) -> datetime:
    """When it was sent by the sender's clock, or by ours where that one is broken."""
    seconds = seconds_of(time)
    if seconds is None:
        return received_at
    sent_at = datetime.fromtimestamp(seconds, UTC)
    return sent_at if _FIRST <= sent_at <= received_at + _AHEAD else received_at


def written_at(payload_time: Time, envelope_time: Time, *, received_at: datetime) -> datetime:
    """When a message was written, in order: WhatsApp says the second, the signed envelope what came first in it.

    The second is never changed, so a score reads WhatsApp's own time; but two messages of one second stay in the
    order in which the gateway heard them, even when the first one's webhook had to be tried again.
    """
    sent_at = sent_at_of(payload_time, received_at=received_at)
    heard, second = seconds_of(envelope_time), seconds_of(payload_time)
    if heard is None or second is None or sent_at.microsecond or not 0 <= heard - second < _HEARD_WITHIN_SECONDS:
        return sent_at
    within = min(heard - second, 1.0) * 1_000_000
    return sent_at.replace(microsecond=min(round(within), 999_999))


def normalise(envelope: Envelope, *, received_at: datetime) -> Incoming | Ignored:
    """Raises Malformed when an event that we know lacks what makes it one."""
    reader = _READERS.get(envelope.event)
    if reader is None:
        return Ignored(reason="unknown_event")
    return reader(envelope, payload_of(envelope), received_at)


def _message(envelope: Envelope, payload: Payload, received_at: datetime) -> Incoming | Ignored:
    chat_id = _answered_chat(payload)
    if isinstance(chat_id, Ignored):
        return chat_id
    message_id = _required(payload.id, "payload.id")
    # Older gateways tell of a deletion or an edit as an empty message that holds the protocol's own words.
    inner = protocol_target(payload.data)
    if inner is not None:
        kind, target, text = inner
        inbox_id = f"message.{kind}:{message_id}:{target}"
        return _incoming(
            payload, message_id, chat_id, received_at, kind=kind, inbox_id=inbox_id, target=target, text=text
        )
    if wordless.is_sealed(payload.data) and not payload.body:
        return Ignored(reason="sealed_change")
    return _incoming(
        payload,
        message_id,
        chat_id,
        received_at,
        kind="message",
        inbox_id=message_id,
        heard_at=envelope.timestamp,
    )


def _edited(_envelope: Envelope, payload: Payload, received_at: datetime) -> Incoming | Ignored:
    return _about(payload, received_at, kind="edited", target=payload.edited_message_id)


def _revoked(_envelope: Envelope, payload: Payload, received_at: datetime) -> Incoming | Ignored:
    inner = payload.after or payload.before
    if inner is None:
        return Ignored(reason="no_chat")
    target = payload.revoked_message_id or (payload.before.id if payload.before else None)
    return _about(inner, received_at, kind="revoked", target=target)


def _reaction(_envelope: Envelope, payload: Payload, received_at: datetime) -> Incoming | Ignored:
    target = payload.reaction.message_id if payload.reaction else None
    return _about(payload, received_at, kind="reaction", target=target)


def _about(payload: Payload, received_at: datetime, *, kind: MessageKind, target: str | None) -> Incoming | Ignored:
    """Something that happened to an earlier message."""
    chat_id = _answered_chat(payload)
    if isinstance(chat_id, Ignored):
        return chat_id
    message_id = _required(payload.id, "payload.id")
    target_id = bare(_required(target, f"the {kind} message's id"))
    emoji = f":{payload.reaction.text or ''}" if payload.reaction else ""
    inbox_id = f"message.{kind}:{message_id}:{target_id}{emoji}"
    return _incoming(payload, message_id, chat_id, received_at, kind=kind, inbox_id=inbox_id, target=target_id)


def _incoming(
    payload: Payload,
    message_id: str,
    chat_id: str,
    received_at: datetime,
    *,
    kind: MessageKind,
    inbox_id: str,
    heard_at: Time = None,
    target: str | None = None,
    text: str | None = None,
) -> IncomingMessage:
    location = location_of(payload)
    cards, poll = cards_of(payload), wordless.of_poll(payload.data)
    phone, lid = phone_and_lid(payload, chat_id)
    return IncomingMessage(
        kind=kind,
        message_id=message_id,
        bare_id=bare(message_id),
        inbox_id=inbox_id,
        chat_id=chat_id,
        from_me=bool(payload.from_me),
        source=payload.source,
        sent_at=written_at(payload.timestamp, heard_at, received_at=received_at),
        type=type_of(payload, location=location, cards=cards, poll=poll),
        is_sticker=wordless.is_sticker(payload.data),
        text=text if text is not None else text_of(payload, cards=cards, poll=poll),
        media=media_of(payload),
        location=location,
        contact_cards=cards,
        reply_to=reply_to_of(payload),
        push_name=push_name_of(payload.data),
        participant=payload.participant,
        phone=phone,
        lid=lid,
        target_id=target,
        emoji=(payload.reaction.text or "") if payload.reaction else None,
    )


def _acknowledgement(envelope: Envelope, payload: Payload, received_at: datetime) -> Incoming | Ignored:
    chat_id = _answered_chat(payload)
    if isinstance(chat_id, Ignored):
        return chat_id
    message_id, ack = _required(payload.id, "payload.id"), payload.ack
    if ack is None or not -1 <= ack <= 4:
        raise Malformed("payload.ack is no acknowledgement")
    if payload.from_me is False:
        return Ignored(reason="ack_of_incoming")
    return Acknowledgement(
        message_id=message_id,
        bare_id=bare(message_id),
        inbox_id=f"ack:{message_id}:{ack}",
        chat_id=chat_id,
        ack=ack,
        reason=payload.ack_name if ack < 0 else None,
        sent_at=sent_at_of(envelope.timestamp, received_at=received_at),
    )


def _session_status(envelope: Envelope, payload: Payload, received_at: datetime) -> Incoming | Ignored:
    status = _required(payload.status, "payload.status")
    if not _SESSION_STATES.fullmatch(status):
        raise Malformed("payload.status is no session state")
    times = [entry.timestamp for entry in payload.statuses or () if entry.status == status]
    at = sent_at_of(envelope.timestamp or (times[-1] if times else None), received_at=received_at)
    # Without an envelope id a repeated delivery is a row more, which changes nothing: the state is the same.
    natural = envelope.id or f"{at.timestamp():.3f}"
    return SessionChange(inbox_id=f"session.status:{natural}:{status}", status=status, sent_at=at)


def _answered_chat(payload: Payload) -> str | Ignored:
    chat_id = chat_of(payload)
    if chat_id is None:
        raise Malformed("payload.from is missing")
    if chat_id.endswith(_ANSWERED_CHATS):
        return chat_id
    _, _, kind = chat_id.rpartition("@")
    return Ignored(reason=_IGNORED_CHATS.get(kind, "other_chat"))


def _required(value: str | None, name: str) -> str:
    if not value:
        raise Malformed(f"{name} is missing")
    if len(value) > 512:
        raise Malformed(f"{name} is too long")
    return value


_IGNORED_CHATS: Final = {"g.us": "group", "broadcast": "status_broadcast", "newsletter": "newsletter"}
_Reader = Callable[[Envelope, Payload, datetime], Incoming | Ignored]
_READERS: Final[dict[str, _Reader]] = {
    "message": _message,
    # Fires beside `message` for the same message, in either order; the same id makes them one row.
    "message.any": _message,
    "message.edited": _edited,
    "message.revoked": _revoked,
    "message.reaction": _reaction,
    "message.ack": _acknowledgement,
    "session.status": _session_status,
}
KNOWN_EVENTS: Final = frozenset(_READERS)


def known_event(event: Any) -> str:
    """The event's name, or `other`: a metric's label must not be the sender's to choose."""
    return event if event in KNOWN_EVENTS else "other"
