"""A customer's message, an acknowledgement or a session change in words of our own, whatever the gateway wrote."""

from datetime import datetime
from typing import Final, Literal

import msgspec

from mychatflow.store.cipher import TenantCipher

MessageKind = Literal["message", "edited", "revoked", "reaction"]
MessageType = Literal["text", "image", "document", "audio", "video", "location", "contact", "unknown"]
Lane = Literal["message", "status"]


class Media(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A file the gateway holds for us; without `url` it could not be read and `error` says why."""

    url: str | None = None
    mimetype: str | None = None
    filename: str | None = None
    error: str | None = None


class Location(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    latitude: float
    longitude: float
    description: str | None = None


class IncomingMessage(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag_field="form", tag="message"):
    """One event of a chat. Ids inside a message (`reply_to`, `target_id`) are bare, as WhatsApp writes them."""

    kind: MessageKind = "message"
    # The gateway's full id `{fromMe}_{chat}_{id}[_{participant}]`, and WhatsApp's own part of it.
    message_id: str
    bare_id: str
    # Where this row is unique: the message id, or event and target for what happens to a message.
    inbox_id: str
    chat_id: str
    from_me: bool = False
    # `app` was typed on a phone, `api` was sent by us or another program.
    source: str | None = None
    sent_at: datetime
    type: MessageType = "text"
    # A picture that says what a smiley says, and is none to look at.
    is_sticker: bool = False
    text: str = ""
    media: Media | None = None
    location: Location | None = None
    contact_cards: tuple[str, ...] = ()
    reply_to: str | None = None
    push_name: str | None = None
    participant: str | None = None
    # Who writes, as far as known: `+34600…` and `…@lid`.
    phone: str | None = None
    lid: str | None = None
    # The message that was edited, revoked or reacted to; an empty emoji takes the reaction back.
    target_id: str | None = None
    emoji: str | None = None

    @property
    def lane(self) -> Lane:
        return "message"


class Acknowledgement(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag_field="form", tag="ack"):
    """What became of a message we sent: -1 error, 0 pending, 1 server, 2 device, 3 read, 4 played."""

    kind: Literal["ack"] = "ack"
    message_id: str
    bare_id: str
    inbox_id: str
    chat_id: str
    from_me: bool = True
    ack: int
    reason: str | None = None
    sent_at: datetime

    @property
    def lane(self) -> Lane:
        return "status"


class SessionChange(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag_field="form", tag="session"):
    """The number's connection moved to another state."""

    kind: Literal["session"] = "session"
    inbox_id: str
    chat_id: str = ""
    from_me: bool = False
    status: str
    sent_at: datetime

    @property
    def lane(self) -> Lane:
        return "status"


Incoming = IncomingMessage | Acknowledgement | SessionChange

_ENCODER: Final = msgspec.json.Encoder()
_MESSAGE_DECODER: Final = msgspec.json.Decoder(IncomingMessage)


def encode(message: Incoming) -> str:
    """Compact JSON, the plain form of inbox.body."""
    return _ENCODER.encode(message).decode()


def row_id(session: str, inbox_id: str) -> str:
    """What ties an encrypted inbox.body to its row."""
    return f"{session}|{inbox_id}"


def seal(message: Incoming, cipher: TenantCipher, *, session: str) -> bytes:
    return cipher.encrypt(encode(message), row_id=row_id(session, message.inbox_id))


def unseal_message(body: bytes, cipher: TenantCipher, *, session: str, inbox_id: str) -> IncomingMessage:
    """A row of the message lane. Raises cipher.Unreadable."""
    return _MESSAGE_DECODER.decode(cipher.decrypt(body, row_id=row_id(session, inbox_id)))
