"""What follows from each answer of the gateway: the row's state, the number's state, events and news."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final, assert_never

from mychatflow.events import EventType, event_id, named_id
from realtime.channels.gateway_types import SendKind, SendOutcome
from realtime.engine.commit import Notification
from realtime.engine.parcel import Parcel, quiet_seconds
from realtime.engine.records import EventEntry
from realtime.engine.sent import Dispatch, NumberChange, State
from realtime.engine.work import Chat, OutboxRow

_BACK_OFF: Final = (2, 5, 15, 60, 300)
_GIVE_UP: Final = timedelta(hours=6)
_RESTRICTED_FOR: Final = timedelta(hours=1)
_SESSION_REST: Final = 5.0
_AUTH_REST: Final = 60.0
_TITLES: Final = {
    "gateway_key_refused": "The WhatsApp gateway refuses our key",
    "number_restricted": "WhatsApp restricts the number",
    "session_down": "A WhatsApp number is no longer connected",
    "message_not_sent": "A message could not be sent",
    "message_in_doubt": "Nobody knows whether a message arrived",
}
_ALSO: Final = {
    "follow_up": EventType.FOLLOWUP_SENT,
    "campaign": EventType.CAMPAIGN_SENT,
    "human": EventType.HUMAN_REPLY,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    dispatch: Dispatch
    # How long nobody else need try this number.
    hold_seconds: float = 0.0


def later(chat: Chat, parcel: Parcel, *, seconds: float) -> Verdict:
    """Not tried now: the number sends too fast, or was refused a moment ago."""
    at = datetime.now(UTC)
    return Verdict(dispatch=_dispatch(chat, parcel, "sending", at=at, next_try_at=at + timedelta(seconds=seconds)))


def verdict(chat: Chat, parcel: Parcel, outcome: SendOutcome, *, at: datetime) -> Verdict:
    match outcome.kind:
        case SendKind.SENT:
            return Verdict(dispatch=_sent(chat, parcel, outcome, at=at))
        case SendKind.AMBIGUOUS:
            return Verdict(dispatch=_in_doubt(chat, parcel, outcome, at=at))
        case SendKind.REJECTED_RETRY:
            return Verdict(dispatch=_again(chat, parcel, outcome, at=at))
        case SendKind.SESSION_DOWN:
            again = _again(chat, parcel, outcome, at=at, news="session_down", status="disconnected")
            return Verdict(dispatch=again, hold_seconds=_SESSION_REST)
        case SendKind.AUTH_FAILED:
            again = _again(chat, parcel, outcome, at=at, news="gateway_key_refused", status="auth_failed")
            return Verdict(dispatch=again, hold_seconds=_AUTH_REST)
        case SendKind.RESTRICTED:
            number = NumberChange(status="restricted", restricted_until=at + _RESTRICTED_FOR)
            return Verdict(dispatch=_failed(chat, parcel, outcome, at=at, news="number_restricted", number=number))
        case SendKind.REJECTED_FINAL:
            return Verdict(dispatch=_failed(chat, parcel, outcome, at=at, news="message_not_sent"))
        case _ as never:
            assert_never(never)


def story_of(row: OutboxRow) -> dict[str, Any]:
    """What a message_sent event tells of a message that another turn wrote."""
    return (row.story or {}) | {
        "provider": row.provider,
        "model": row.model,
        "member_id": str(row.member_id) if row.member_id else None,
        "part_of": str(row.part_of) if row.part_of else None,
    }


def _sent(chat: Chat, parcel: Parcel, outcome: SendOutcome, *, at: datetime) -> Dispatch:
    # It went through: whatever the number was said to be, it works.
    number = NumberChange(status="connected") if chat.number.status in {"auth_failed", "disconnected"} else None
    message_id = outcome.message_id or parcel.wa_message_id
    return _dispatch(
        chat,
        parcel,
        "sent",
        at=at,
        wa_message_id=message_id,
        number=number,
        events=tuple(_sent_events(chat, parcel, at=at)),
    )


def _sent_events(chat: Chat, parcel: Parcel, *, at: datetime) -> list[EventEntry]:
    story = dict(parcel.story)
    received_at = _instant(story.pop("received_at", None)) or parcel.waits_since
    waits_since = parcel.waits_since.isoformat() if parcel.waits_since else None
    properties = {
        "outbox_id": str(parcel.outbox_id),
        "interaction_id": str(parcel.interaction_id),
        "kind": parcel.kind,
        "author": parcel.author,
        "waits_since": waits_since,
        "latency_ms": round((at - received_at).total_seconds() * 1000) if received_at else None,
    }
    events = [_event(chat, parcel, EventType.MESSAGE_SENT, properties | story, at=at)]
    also = _ALSO.get(parcel.kind)
    if also is not None:
        subject = parcel.idempotency_key.split(":")
        named: dict[str, Any] = {f"{parcel.kind}_id": subject[1]} if len(subject) > 1 else {}
        if parcel.kind == "human":
            named = {name: properties[name] for name in ("outbox_id", "interaction_id", "waits_since")}
            named["member_id"] = story.get("member_id")
        events.append(_event(chat, parcel, also, named, at=at))
    return events


def _instant(told: str | None) -> datetime | None:
    return datetime.fromisoformat(told) if told else None


def _in_doubt(chat: Chat, parcel: Parcel, outcome: SendOutcome, *, at: datetime) -> Dispatch:
    # Without ids of ours a second copy would reach the customer: first the send must have had its time.
    least = quiet_seconds(chat.number, has_media=parcel.media is not None)
    news = "message_in_doubt" if parcel.attempts > 2 else None
    return _again(chat, parcel, outcome, at=at, state="ambiguous", least=least, news=news)


def _again(
    chat: Chat,
    parcel: Parcel,
    outcome: SendOutcome,
    *,
    at: datetime,
    state: State = "sending",
    least: float = 0.0,
    news: str | None = None,
    status: str | None = None,
) -> Dispatch:
    if at - parcel.created_at > _GIVE_UP:
        return _failed(chat, parcel, outcome, at=at, news="message_not_sent")
    rest = max(least, _BACK_OFF[min(parcel.attempts, len(_BACK_OFF)) - 1])
    return _dispatch(
        chat,
        parcel,
        state,
        at=at,
        next_try_at=at + timedelta(seconds=rest),
        error=f"{outcome.kind}: {outcome.detail}",
        number=NumberChange(status=status) if status else None,
        notification=_news(chat, parcel, news, outcome, at=at) if news else None,
    )


def _failed(
    chat: Chat,
    parcel: Parcel,
    outcome: SendOutcome,
    *,
    at: datetime,
    news: str,
    number: NumberChange | None = None,
) -> Dispatch:
    properties = {
        "message_id": outcome.message_id or parcel.wa_message_id,
        "outbox_id": str(parcel.outbox_id),
        "interaction_id": str(parcel.interaction_id),
        "reason": str(outcome.kind),
    }
    return _dispatch(
        chat,
        parcel,
        "failed",
        at=at,
        error=f"{outcome.kind}: {outcome.detail}",
        number=number,
        events=(_event(chat, parcel, EventType.MESSAGE_FAILED, properties, at=at),),
        notification=_news(chat, parcel, news, outcome, at=at),
    )


def _dispatch(chat: Chat, parcel: Parcel, state: State, *, at: datetime, **changes: Any) -> Dispatch:
    subject = parcel.idempotency_key if parcel.kind in {"reply", "campaign"} else None
    if state == "sending" and not parcel.is_doubtful and not parcel.keeps_id(chat.number):
        # Held back or refused, and never in doubt: nobody need look for it in the history.
        state = "pending"
    return Dispatch(lease=chat.lease, outbox_id=parcel.outbox_id, state=state, at=at, usage_subject=subject, **changes)


def _event(
    chat: Chat, parcel: Parcel, event_type: EventType, properties: dict[str, Any], *, at: datetime
) -> EventEntry:
    return EventEntry(
        event_id=event_id(event_type, chat.lease.tenant_id, str(parcel.outbox_id)),
        occurred_at=at,
        event_type=event_type,
        contact_id=parcel.contact_id,
        episode_id=parcel.episode_id,
        properties=properties,
    )


def _news(chat: Chat, parcel: Parcel, kind: str, outcome: SendOutcome, *, at: datetime) -> Notification:
    # A refused number is one piece of news an hour, not one for each customer.
    is_of_number = kind in {"gateway_key_refused", "number_restricted", "session_down"}
    subject = f"{chat.lease.instance_id}:{at:%Y-%m-%dT%H}" if is_of_number else str(parcel.outbox_id)
    return Notification(
        id=named_id("notification", chat.lease.tenant_id, f"{kind}:{subject}"),
        kind=kind,
        title=_TITLES[kind],
        detail={"instance_id": str(chat.lease.instance_id), "detail": outcome.detail},
        is_urgent=True,
    )
