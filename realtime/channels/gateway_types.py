"""What a WhatsApp gateway is asked and what it can answer, in values of our own."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Final, Literal

# People, hidden numbers (LID) and groups; channels and status@broadcast are nobody to answer.
_CHAT_ID: Final = re.compile(r"[0-9]{5,20}@(?:c\.us|lid|s\.whatsapp\.net)|[0-9]{5,20}(?:-[0-9]{5,20})?@g\.us")
_MESSAGE_ID: Final = re.compile(r"[A-Za-z0-9]{5,128}")
LONGEST_TEXT: Final = 65_536


class SendKind(StrEnum):
    """What became of a message that was handed to the gateway."""

    SENT = "sent"
    # It may or may not be at the customer: send again with the same id, or look into the history (WEBJS, media).
    AMBIGUOUS = "ambiguous"
    # Surely not delivered; the same request may succeed later.
    REJECTED_RETRY = "rejected_retry"
    # Surely not delivered; the same request never succeeds.
    REJECTED_FINAL = "rejected_final"
    SESSION_DOWN = "session_down"
    AUTH_FAILED = "auth_failed"
    # WhatsApp restricts the number (463 reach-out time lock, 475 new-chat cap): no retry, an alert.
    RESTRICTED = "restricted"


class SessionStatus(StrEnum):
    """The states of a gateway session."""

    STOPPED = "STOPPED"
    STARTING = "STARTING"
    SCAN_QR_CODE = "SCAN_QR_CODE"
    PASSKEY_REQUIRED = "PASSKEY_REQUIRED"
    PASSKEY_CONFIRMATION_REQUIRED = "PASSKEY_CONFIRMATION_REQUIRED"
    WORKING = "WORKING"
    FAILED = "FAILED"


FailureKind = Literal[
    "unreachable",
    "timeout",
    "auth_failed",
    "no_session",
    "not_ready",
    "exists",
    "refused",
    "unreadable",
    "gateway_error",
]


class GatewayFailed(Exception):
    """The gateway did not do what was asked; `kind` says why, `status` is its HTTP answer where there was one."""

    def __init__(self, kind: FailureKind, *, status: int | None = None, detail: str = "") -> None:
        super().__init__(f"{kind} ({status}): {detail}" if status else f"{kind}: {detail}")
        self.kind: FailureKind = kind
        self.status = status
        self.detail = detail


@dataclass(frozen=True, slots=True, kw_only=True)
class SendOutcome:
    """What became of one send. `message_id` is the bare WhatsApp id; `detail` names the cause, never the text."""

    kind: SendKind
    message_id: str | None = None
    detail: str = ""

    @property
    def is_sent(self) -> bool:
        return self.kind is SendKind.SENT


@dataclass(frozen=True, slots=True, kw_only=True)
class WebhookTarget:
    """Where the gateway tells us what happens in a session, and how hard it tries."""

    url: str
    hmac_key: str = field(repr=False)
    events: tuple[str, ...] = (
        "message",
        "message.any",
        "message.ack",
        "message.reaction",
        "message.edited",
        "message.revoked",
        "session.status",
    )
    retry_policy: Literal["constant", "linear", "exponential"] = "exponential"
    retry_delay: timedelta = timedelta(seconds=2)
    retry_attempts: int = 15
    headers: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """The WhatsApp account that a session is paired with."""

    wa_id: str
    name: str
    lid: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionState:
    name: str
    status: SessionStatus
    account: Account | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class QrCode:
    """A picture to scan with the phone that is to be paired."""

    mimetype: str
    data: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class MediaFile:
    """A picture, recording or document, by its bytes: no address of ours need be open to the gateway."""

    mimetype: str
    filename: str
    data: bytes = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class HistoryMessage:
    """One message of a chat as the gateway remembers it; `payload` is its own object, as in a webhook."""

    id: str
    message_id: str
    chat_id: str
    is_from_me: bool
    text: str = field(repr=False)
    sent_at: datetime
    source: str | None
    payload: Mapping[str, Any] = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class ChatSummary:
    chat_id: str
    last_message_at: datetime | None


def is_chat_id(value: str) -> bool:
    """Whether that names a person or group that can be written to (the gateway itself accepts garbage)."""
    return _CHAT_ID.fullmatch(value) is not None


def is_message_id(value: str) -> bool:
    """Whether that is a bare WhatsApp message id."""
    return _MESSAGE_ID.fullmatch(value) is not None


def bare_message_id(value: str) -> str:
    """`3EB0…` out of `true_22222222222@c.us_3EB0…[_participant]`; a bare id stays as it is."""
    if not value.startswith(("true_", "false_")):
        return value
    parts = value.split("_")
    return parts[2] if len(parts) > 2 else value
