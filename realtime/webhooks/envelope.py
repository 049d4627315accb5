"""The gateway's webhook as it stands on the wire: strict where bytes could hurt, lenient where versions differ."""

import re
from typing import Any, Final

import msgspec

DEEPEST: Final = 200
# Every escape in turn, so that an escaped backslash before `u0000` is not taken for a NUL.
_ESCAPES: Final = re.compile(
    rb"\\(?:u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|(u(?:[dD][89a-fA-F][0-9a-fA-F]{2}|0000))|.)",
    re.DOTALL,
)
_NESTS: Final = frozenset((dict, list))


class Malformed(Exception):
    """The body is not a JSON object that Postgres and we could hold; `reason` says why, in a few words."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class LongTime(msgspec.Struct):
    """A 64-bit number as JavaScript's Long writes it."""

    low: int
    high: int = 0
    unsigned: bool = False


Time = int | float | str | LongTime | None


class WireMedia(msgspec.Struct):
    url: str | None = None
    mimetype: str | None = None
    filename: str | None = None
    error: Any = None


class WireReaction(msgspec.Struct):
    text: str | None = None
    message_id: str | None = msgspec.field(name="messageId", default=None)


class WireStatus(msgspec.Struct):
    status: str | None = None
    timestamp: Time = None


class Payload(msgspec.Struct, rename="camel"):
    """Every payload field that we read, of any event; what a version does not send keeps its default."""

    id: str | None = None
    timestamp: Time = None
    from_: str | None = msgspec.field(name="from", default=None)
    from_me: bool | None = None
    source: str | None = None
    to: str | None = None
    participant: str | None = None
    body: str | None = None
    has_media: bool | None = None
    media: WireMedia | None = None
    location: dict[str, Any] | None = None
    v_cards: list[str] | None = None
    reply_to: Any = None
    reaction: WireReaction | None = None
    edited_message_id: str | None = None
    revoked_message_id: str | None = None
    after: "Payload | None" = None
    before: "Payload | None" = None
    ack: int | None = None
    ack_name: str | None = None
    status: str | None = None
    statuses: list[WireStatus] | None = None
    data: Any = msgspec.field(name="_data", default=None)


class Envelope(msgspec.Struct):
    """`id` and `timestamp` (ms) came with 2025; both lie under the signature."""

    event: str
    session: str
    payload: dict[str, Any] | None = None
    id: str | None = None
    timestamp: Time = None
    engine: str | None = None


def read(raw: bytes) -> Envelope:
    """The envelope, with NUL and lone surrogates replaced by U+FFFD. Raises Malformed."""
    if b"\\u0000" in raw:
        raw = _without_unstorable(raw)
    value = _value(raw)
    if not isinstance(value, dict):
        raise Malformed("not an object")
    try:
        return msgspec.convert(value, Envelope)
    except msgspec.ValidationError as error:
        raise Malformed(str(error)) from error


def payload_of(envelope: Envelope) -> Payload:
    """Raises Malformed."""
    try:
        return msgspec.convert(envelope.payload or {}, Payload)
    except msgspec.ValidationError as error:
        raise Malformed(str(error)) from error


def _value(raw: bytes) -> Any:
    # Decoded in full and not only the fields we read: the rest must be as harmless as they are.
    try:
        value = _decoded(raw)
    except msgspec.DecodeError as error:
        if b"\\ud" not in raw and b"\\uD" not in raw:
            raise Malformed(str(error)) from error
        value = _repaired(raw)
    if raw.count(b"[") + raw.count(b"{") > DEEPEST and _depth(value) > DEEPEST:
        raise Malformed("nested too deeply")
    return value


def _repaired(raw: bytes) -> Any:
    try:
        return _decoded(_without_unstorable(raw))
    except msgspec.DecodeError as error:
        raise Malformed(str(error)) from error


def _decoded(raw: bytes) -> Any:
    try:
        return msgspec.json.decode(raw)
    except UnicodeDecodeError as error:
        raise Malformed("not UTF-8") from error
    except RecursionError as error:
        raise Malformed("nested too deeply") from error


def _without_unstorable(raw: bytes) -> bytes:
    return _ESCAPES.sub(lambda found: rb"\ufffd" if found[1] else found[0], raw)


def _depth(value: Any) -> int:
    deepest, level = 0, [value]
    while level:
        deepest += 1
        level = [
            child
            for parent in level
            for child in (parent.values() if isinstance(parent, dict) else parent)
            if type(child) in _NESTS
        ]
    return deepest
