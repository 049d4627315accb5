"""What the phone page is shown of businesses, customers and messages."""

from typing import Any

import phonenumbers

from mychatflow.local.phone import ids, payloads
from mychatflow.local.phone.files import PLAYED_INLINE, SHOWN_INLINE
from mychatflow.local.phone.records import Customer, Media, Message, Session


def session(shown: Session) -> dict[str, Any]:
    return {
        "name": shown.name,
        "business": payloads.business_name(shown),
        "phone": ids.business_phone(shown.name),
        "status": shown.status.value,
    }


def customer(shown: Customer) -> dict[str, Any]:
    return {
        "phone": shown.phone,
        "number": readable_number(shown.phone),
        "name": shown.name,
        "chat_id": f"{shown.phone}@c.us",
    }


def message(shown: Message) -> dict[str, Any]:
    """A message as the customer's phone sees it: `mine` is what the customer wrote."""
    return {
        "session": shown.session,
        "chat_id": shown.chat_id,
        "id": shown.full_id,
        "mine": not shown.from_me,
        "text": shown.text,
        "at": shown.sent_ms,
        "ack": int(shown.ack),
        "media": None if shown.media is None else _media(shown.media),
        "reply_to": shown.reply_to,
        "reactions": {"business": shown.business_reaction, "customer": shown.customer_reaction},
        "handover": {
            "state": shown.handover.state,
            "attempts": shown.handover.attempts,
            "status": shown.handover.status,
            "took_ms": shown.handover.took_ms,
        },
    }


def chat(chat_id: str, last: Message, *, name: str | None, unread: int) -> dict[str, Any]:
    return {"chat_id": chat_id, "name": name, "last": message(last), "unread": unread}


def _media(shown: Media) -> dict[str, Any]:
    return {
        "mimetype": shown.mimetype,
        "filename": shown.filename,
        "is_voice": shown.file is not None and shown.mimetype.partition(";")[0] in PLAYED_INLINE,
        "is_image": shown.file is not None and shown.mimetype in SHOWN_INLINE,
        "src": f"/phone/files/{shown.file}" if shown.file else None,
        "address": shown.url,
    }


def readable_number(digits: str) -> str:
    """`+44 7700 900123`: the way people write it."""
    try:
        number = phonenumbers.parse(f"+{digits}")
    except phonenumbers.NumberParseException:
        return digits
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.INTERNATIONAL)
