"""What the customer said: the chat's open rows opened, put in order and understood."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Final
from uuid import UUID

import msgspec

from mychatflow.events import named_id
from mychatflow.rules import handoff, intents, language, opt_out
from mychatflow.rules.handoff import HandoffDecision
from mychatflow.rules.intents import Signals
from mychatflow.rules.language import LanguageDecision
from mychatflow.rules.opt_out import Command
from mychatflow.store.cipher import Unreadable
from realtime.agent.tenants import Tenant
from realtime.engine.work import Chat, Contact, InboxRow, UnreadableRow
from realtime.media.keeper import File
from realtime.webhooks import messages as wire
from realtime.webhooks.messages import IncomingMessage

_WORDLESS: Final = {"unknown"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Received:
    """One open row of the chat. `is_stored`: an earlier attempt at this turn wrote it down already."""

    row: InboxRow
    message: IncomingMessage
    interaction_id: UUID
    at: datetime
    is_stored: bool
    file: File | None = None

    @property
    def text(self) -> str:
        return self.message.text.strip()

    @property
    def is_answerable(self) -> bool:
        return bool(self.text) or self.message.type not in _WORDLESS

    @property
    def spoken(self) -> str:
        """The text as a reader of the conversation sees it."""
        if self.message.type == "text" or not self.is_answerable:
            return self.text
        kind = "sticker" if self.message.is_sticker else self.message.type
        return f"[{kind}{self._aside}] {self.text}".strip()

    @property
    def _aside(self) -> str:
        """What the model must know to stay honest about it."""
        if self.message.is_sticker:
            return ""
        if self.file is not None and self.file.data is None:
            return ": it could not be opened"
        if self.file is not None and self.file.heard:
            return ", written down by a machine"
        if self.message.type in {"audio", "video"}:
            return ": you cannot listen to it or watch it"
        if self.message.type == "document":
            return f": {(self.message.media.filename if self.message.media else None) or 'a file'}, not opened"
        if self.message.location is not None:
            return f": {self.message.location.description or 'a place'}"
        return ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """The open rows by what they are; all in the order in which they were sent."""

    rows: tuple[InboxRow, ...]
    customer: tuple[Received, ...]
    human: tuple[Received, ...]
    changes: tuple[Received, ...]

    @property
    def seqs(self) -> tuple[int, ...]:
        return tuple(row.seq for row in self.rows)

    @property
    def fresh(self) -> tuple[Received, ...]:
        return tuple(each for each in self.customer if not each.is_stored)

    @property
    def answerable(self) -> tuple[Received, ...]:
        return tuple(each for each in self.customer if each.is_answerable)


@dataclass(frozen=True, slots=True, kw_only=True)
class Understood:
    """One message with what its words say."""

    received: Received
    signals: Signals
    command: Command | None
    language: LanguageDecision

    @property
    def is_countable(self) -> bool:
        """Whether the lead score counts it: a whole-message command is none of the customer's interest."""
        return self.received.is_answerable and self.command is None


@dataclass(frozen=True, slots=True, kw_only=True)
class Understanding:
    """A burst is one turn of the customer, joined by line breaks."""

    messages: tuple[Understood, ...]
    text: str = field(repr=False)
    command: Command | None
    handoff: HandoffDecision | None
    language: str
    language_reason: str
    is_language_locked: bool


def read(chat: Chat, tenant: Tenant) -> Reading:
    """Raises UnreadableRow for a row that no key of the tenant opens."""
    stored = {message.id for message in chat.recent}
    customer: list[Received] = []
    human: list[Received] = []
    changes: list[Received] = []
    for row in chat.inbox:
        if row.is_echo or row.body is None:
            continue
        message = _opened(row, row.body, tenant)
        interaction_id = interaction_id_of(chat, row.session, row.inbox_id)
        received = Received(
            row=row,
            message=message,
            interaction_id=interaction_id,
            # A clock that runs ahead must not put a message after its own answer.
            at=min(row.sent_at, row.received_at),
            is_stored=interaction_id in stored,
        )
        if message.kind != "message":
            changes.append(received)
        elif not row.is_own:
            customer.append(received)
        elif not _is_unknown_echo(chat, message):
            human.append(received)
    return Reading(
        rows=chat.inbox,
        customer=_as_they_stand(customer, changes),
        human=tuple(human),
        changes=tuple(changes),
    )


def _opened(row: InboxRow, body: bytes, tenant: Tenant) -> IncomingMessage:
    try:
        return wire.unseal_message(body, tenant.cipher, session=row.session, inbox_id=row.inbox_id)
    except (Unreadable, msgspec.DecodeError) as error:
        raise UnreadableRow(row.seq) from error


def with_files(reading: Reading, files: Mapping[UUID, File]) -> Reading:
    return replace(
        reading, customer=tuple(_with_file(each, files.get(each.interaction_id)) for each in reading.customer)
    )


def _with_file(received: Received, file: File | None) -> Received:
    """What a voice said becomes the message's words: stored, scored and answered like typed ones."""
    message = received.message
    if file is not None and file.heard:
        message = _with_text(message, text=f"{message.text}\n{file.heard}".strip(), kind=message.type)
    return replace(received, file=file, message=message)


def understand(reading: Reading, contact: Contact | None, tenant: Tenant) -> Understanding:
    """Language message by message, since the customer may switch; the latest command and hand-off wish count."""
    switches = tenant.switches
    current = contact.preferred_language if contact else None
    is_locked = contact is not None and contact.language_locked_at is not None
    understood: list[Understood] = []
    wish: HandoffDecision | None = None
    reason = "no_message"
    for received in reading.customer:
        decision = language.decide(
            received.text,
            supported=tenant.supported_languages,
            default=switches.default_language,
            current=current,
            is_locked=is_locked,
            is_multilingual=switches.multi_language_enabled,
        )
        signals = intents.extract(received.text)
        wish = (
            handoff.decide(
                signals, received.text, keywords=switches.handoff_keywords, is_enabled=switches.handoff_enabled
            )
            or wish
        )
        understood.append(
            Understood(
                received=received,
                signals=signals,
                command=opt_out.read(received.text),
                language=decision,
            )
        )
        current, is_locked, reason = decision.decided, decision.locked, decision.reason
    commands = [each.command for each in understood if each.command]
    return Understanding(
        messages=tuple(understood),
        text="\n".join(each.received.spoken for each in understood if each.received.is_answerable),
        command=commands[-1] if commands else None,
        handoff=wish,
        language=current if current in tenant.supported_languages else switches.default_language,
        language_reason=reason,
        is_language_locked=is_locked,
    )


def interaction_id_of(chat: Chat, session: str, inbox_id: str) -> UUID:
    """The same for every attempt, so that a message is stored once."""
    return named_id("interaction", chat.lease.tenant_id, f"{session}|{inbox_id}")


def told_once(reading: Reading, chat: Chat) -> Reading:
    """Without what is stored under another form of the chat's id.

    The history may tell of a message under the phone's, and its own webhook, tried again, under a hidden one.
    """
    stored = {message.id for message in chat.recent}
    customer, human = (
        tuple(each for each in told if not stored.intersection(_namesakes(each, chat)))
        for told in (reading.customer, reading.human)
    )
    return replace(reading, customer=customer, human=human)


def _namesakes(received: Received, chat: Chat) -> list[UUID]:
    message, named = received.message, chat.lease.chat_id
    forms = {message.lid, f"{message.phone.removeprefix('+')}@c.us" if message.phone else None}
    forms.add(chat.contact.wa_id if chat.contact else None)
    session, inbox_id = received.row.session, received.row.inbox_id
    others = [inbox_id.replace(f"_{named}_", f"_{form}_") for form in forms if form not in {None, named}]
    return [interaction_id_of(chat, session, other) for other in others if other != inbox_id]


def _as_they_stand(customer: Sequence[Received], changes: Sequence[Received]) -> tuple[Received, ...]:
    """The messages after edits and deletions that came before anybody answered."""
    edits = {each.message.target_id: each for each in changes if each.message.kind == "edited"}
    revoked = {each.message.target_id for each in changes if each.message.kind == "revoked"}
    standing: list[Received] = []
    for received in customer:
        edit = edits.get(received.message.bare_id)
        if received.message.bare_id in revoked:
            # Its file is as little to be fetched, kept or shown as its words.
            message = msgspec.structs.replace(received.message, text="", type="unknown", media=None, location=None)
        elif edit is not None:
            message = _with_text(received.message, text=edit.message.text, kind=received.message.type)
        else:
            message = received.message
        standing.append(replace(received, message=message))
    return tuple(standing)


def _with_text(message: IncomingMessage, *, text: str, kind: wire.MessageType) -> IncomingMessage:
    return msgspec.structs.replace(message, text=text, type=kind)


def _is_unknown_echo(chat: Chat, message: IncomingMessage) -> bool:
    """Where no id of ours is taken (some engines, all files), our own message may come back before we know its id."""
    sends_files = any(row.media and row.attempts > 0 for row in chat.outbox)
    is_nameless = not chat.number.keeps_ids or (message.media is not None and sends_files)
    return is_nameless and message.source == "api"
