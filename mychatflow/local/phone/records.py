"""What the sandbox phone remembers: businesses (sessions), customers, messages and what became of each."""

from dataclasses import dataclass, field
from enum import IntEnum, StrEnum
from typing import Any, Literal

Engine = Literal["NOWEB", "GOWS", "WEBJS"]
RetryPolicy = Literal["constant", "linear", "exponential"]
HandoverState = Literal["none", "pending", "delivered", "failed"]


class SessionStatus(StrEnum):
    STOPPED = "STOPPED"
    STARTING = "STARTING"
    SCAN_QR_CODE = "SCAN_QR_CODE"
    PASSKEY_REQUIRED = "PASSKEY_REQUIRED"
    PASSKEY_CONFIRMATION_REQUIRED = "PASSKEY_CONFIRMATION_REQUIRED"
    WORKING = "WORKING"
    FAILED = "FAILED"


class Ack(IntEnum):
    """How far a message came; it never goes back."""

    ERROR = -1
    PENDING = 0
    SERVER = 1
    DEVICE = 2
    READ = 3
    PLAYED = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Retries:
    policy: RetryPolicy = "constant"
    delay_seconds: float = 2.0
    attempts: int = 15


@dataclass(frozen=True, slots=True, kw_only=True)
class Webhook:
    url: str
    events: tuple[str, ...]
    hmac_key: str = field(default="", repr=False)
    retries: Retries = Retries()
    headers: tuple[tuple[str, str], ...] = ()

    def wants(self, event: str) -> bool:
        return "*" in self.events or event in self.events


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """A business's number. `config` is kept as it was given, since that is what the API shows."""

    name: str
    status: SessionStatus = SessionStatus.STOPPED
    config: dict[str, Any] = field(default_factory=dict, repr=False)
    is_paired: bool = True
    statuses: tuple[tuple[str, int], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Customer:
    """Somebody who writes to businesses: a persona of the phone page."""

    phone: str
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Media:
    """A picture or document; `file` names its bytes in the file store, `url` is all we have of a remote one."""

    mimetype: str
    filename: str | None = None
    file: str | None = None
    url: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Handover:
    """How the business's webhook took a customer's message."""

    state: HandoverState = "none"
    attempts: int = 0
    status: int | None = None
    took_ms: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """One message of a chat. `from_me` is the gateway's view: true when the business wrote it."""

    session: str
    chat_id: str
    message_id: str
    from_me: bool
    text: str = field(repr=False)
    sent_ms: int
    ack: Ack = Ack.PENDING
    source: Literal["api", "app"] = "app"
    author: str | None = None
    media: Media | None = None
    reply_to: str | None = None
    business_reaction: str = ""
    customer_reaction: str = ""
    handover: Handover = Handover()

    @property
    def full_id(self) -> str:
        return f"{'true' if self.from_me else 'false'}_{self.chat_id}_{self.message_id}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """One send that reached WhatsApp; a repeated id reaches it but shows the customer nothing new."""

    session: str
    chat_id: str
    message_id: str
    text: str = field(repr=False)
    at_ms: int
    is_repeat: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """What somebody wants to send."""

    text: str = field(repr=False)
    media: Media | None = None
    reply_to: str | None = None


class GatewayRefusal(Exception):
    """A request that WAHA would refuse, with the status and body it would answer."""

    def __init__(self, status: int, body: dict[str, Any]) -> None:
        super().__init__(f"{status}: {body.get('message') or body.get('error')}")
        self.status = status
        self.body = body
