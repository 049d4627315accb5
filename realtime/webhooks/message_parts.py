"""The parts of a gateway message, found wherever its version and engine put them."""

import functools
import re
from collections.abc import Mapping
from typing import Any, Final

from realtime.webhooks import wordless
from realtime.webhooks.envelope import Payload
from realtime.webhooks.messages import Location, Media, MessageKind, MessageType

_FULL_ID: Final = re.compile(r"(?:true|false)_([^_\s]+@[a-z.]+)_([^_]+)(?:_.+)?")
_BY_MIMETYPE: Final[dict[str, MessageType]] = {"image": "image", "audio": "audio", "video": "video"}


@functools.lru_cache(maxsize=16)
def _parsed(message_id: str) -> re.Match[str] | None:
    """The chat and WhatsApp's own part of a full id, asked for several times while one message is read."""
    return _FULL_ID.fullmatch(message_id)


def chat_of(payload: Payload) -> str | None:
    """The chat. The id names it on every engine; `from` is our own number on some, for messages of our own."""
    found = _parsed(payload.id or "")
    chat = found[1] if found else payload.from_
    return None if chat is None else chat.replace("@s.whatsapp.net", "@c.us")


def bare(message_id: str) -> str:
    """WhatsApp's own part of a full id; a bare id stays as it is."""
    found = _parsed(message_id)
    return found[2] if found else message_id


def media_of(payload: Payload) -> Media | None:
    if not payload.has_media and payload.media is None:
        return None
    media = payload.media
    if media is None:
        return Media(error="not downloaded")
    error = _error_text(media.error) or (None if media.url else "not downloaded")
    return Media(url=media.url, mimetype=media.mimetype, filename=media.filename, error=error)


def text_of(payload: Payload, *, cards: tuple[str, ...], poll: str) -> str:
    """The words; where there are none, or only a card's own markup, what a reader would see instead."""
    body = payload.body or ""
    if cards and (not body or body.startswith("BEGIN:VCARD")):
        return wordless.of_cards(cards)
    return body or poll


def type_of(payload: Payload, *, location: Location | None, cards: tuple[str, ...], poll: str) -> MessageType:
    if location is not None:
        return "location"
    if cards:
        return "contact"
    if payload.has_media or payload.media is not None:
        mimetype = (payload.media.mimetype if payload.media else None) or ""
        kind = mimetype.partition("/")[0]
        return _BY_MIMETYPE.get(kind, "document" if mimetype else "unknown")
    return "text" if payload.body or poll else "unknown"


def location_of(payload: Payload) -> Location | None:
    """Coordinates come as numbers or as text; what is no place on earth is none."""
    if payload.location is None:
        return None
    wire = payload.location
    try:
        latitude, longitude = float(wire["latitude"]), float(wire["longitude"])
    except (KeyError, TypeError, ValueError):
        return None
    if not (-90 <= latitude <= 90 and -180 <= longitude <= 180):
        return None
    description = wire.get("description")
    return Location(
        latitude=latitude,
        longitude=longitude,
        description=description if isinstance(description, str) else None,
    )


def cards_of(payload: Payload) -> tuple[str, ...]:
    return tuple(payload.v_cards or ())


def reply_to_of(payload: Payload) -> str | None:
    """The bare id of the quoted message: an object with an id now, a plain id in older versions."""
    quoted = payload.reply_to.get("id") if isinstance(payload.reply_to, dict) else payload.reply_to
    return bare(quoted) if isinstance(quoted, str) and quoted else None


def push_name_of(data: Any) -> str | None:
    """The name the customer gave himself: pushName (NOWEB), Info.PushName (GOWS), notifyName (WEBJS)."""
    if not data:
        return None
    found = _mapping(data)
    for name in (found.get("pushName"), _mapping(found.get("Info")).get("PushName"), found.get("notifyName")):
        if isinstance(name, str) and name.strip():
            return name.strip()[:200]
    return None


def phone_and_lid(payload: Payload, chat_id: str) -> tuple[str | None, str | None]:
    """The customer's number and hidden id; a hidden chat may carry the number beside it."""
    user, _, server = chat_id.partition("@")
    if not payload.data and server == "c.us" and user.isascii() and user.isdigit():
        return f"+{user}", None
    data = _mapping(payload.data)
    key, info = _mapping(data.get("key")), _mapping(data.get("Info"))
    ids = [chat_id, key.get("remoteJidAlt"), key.get("senderPn"), key.get("senderLid"), info.get("SenderAlt")]
    phone = lid = None
    for candidate in ids:
        if not isinstance(candidate, str):
            continue
        user, _, server = candidate.partition("@")
        user = user.partition(":")[0]
        if not (user.isascii() and user.isdigit()):
            continue
        if server in {"c.us", "s.whatsapp.net"}:
            phone = phone or f"+{user}"
        elif server == "lid":
            lid = lid or f"{user}@lid"
    return phone, lid


def protocol_target(data: Any) -> tuple[MessageKind, str, str | None] | None:
    """Kind, bare target id and new text of a deletion or edit that older gateways hide in the raw message."""
    if not data:
        return None
    protocol = _mapping(_mapping(_mapping(data).get("message")).get("protocolMessage"))
    target = _mapping(protocol.get("key")).get("id")
    if not isinstance(target, str) or not target:
        return None
    match protocol.get("type"):
        case 0 | "REVOKE":
            return "revoked", target, None
        case 14 | "MESSAGE_EDIT":
            return "edited", target, _edited_text(protocol)
        case _:
            return None


def _edited_text(protocol: Mapping[str, Any]) -> str | None:
    edited = _mapping(protocol.get("editedMessage"))
    text = edited.get("conversation") or _mapping(edited.get("extendedTextMessage")).get("text")
    return text if isinstance(text, str) else None


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _error_text(error: Any) -> str | None:
    if error is None:
        return None
    message = _mapping(error).get("message", error)
    return str(message)[:200]
