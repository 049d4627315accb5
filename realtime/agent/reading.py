"""What the customer said: the chat's open rows opened, put in order and understood."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
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
from realtime.agent.received import Change, Received, as_they_stand, folded
from realtime.agent.tenants import Tenant
from realtime.engine.work import Chat, Contact, InboxRow, UnreadableRow
from realtime.media.keeper import File
from realtime.webhooks import messages as wire
from realtime.webhooks.messages import IncomingMessage

# The gateway tries a webhook again after two seconds, then four, then eight.
_AHEAD: Final = timedelta(seconds=20)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """The open rows by what they are; all in the order in which they were sent."""

    rows: tuple[InboxRow, ...]
    customer: tuple[Received, ...]
    human: tuple[Received, ...]
    changes: tuple[Change, ...]

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
    told: list[Received] = []
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
            told.append(received)
        elif not row.is_own:
            customer.append(received)
        elif not _is_unknown_echo(chat, message):
            human.append(received)
    changes = folded(told)
    return Reading(
        rows=chat.inbox,
        customer=as_they_stand(customer, changes),
        human=as_they_stand(human, changes),
        changes=changes,
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
    if file is not None and file.heard:
        received = received.with_text(f"{received.message.text}\n{file.heard}".strip())
    return replace(received, file=file)


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


def target_of(chat: Chat, told: Received) -> UUID:
    """Which interaction is edited or taken back, by WhatsApp's full id of a customer's or our own message here."""
    message = told.message
    full_id = f"{str(message.from_me).lower()}_{chat.lease.chat_id}_{message.target_id}"
    return interaction_id_of(chat, told.row.session, full_id)


def ahead_until(chat: Chat, reading: Reading, *, at: datetime) -> datetime | None:
    """Until when a change waits that came before its message, whose webhook the gateway tries again; None: it need not.

    Done now it changes nothing, and what was taken back would be stored and answered a moment later. Beside other
    messages of the chat it does not wait: they would have to.
    """
    if reading.customer or reading.human:
        return None
    stored = {message.id for message in chat.recent}
    told = [each for change in reading.changes for each in (change.edit, change.revoked) if each is not None]
    ahead = [each.row.received_at + _AHEAD for each in told if target_of(chat, each) not in stored]
    return max((until for until in ahead if until > at), default=None)


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


def _is_unknown_echo(chat: Chat, message: IncomingMessage) -> bool:
    """Where no id of ours is taken (some engines, all files), our own message may come back before we know its id."""
    sends_files = any(row.media and row.attempts > 0 for row in chat.outbox)
    is_nameless = not chat.number.keeps_ids or (message.media is not None and sends_files)
    return is_nameless and message.source == "api"
