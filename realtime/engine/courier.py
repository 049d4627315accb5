"""Hands messages to the gateway, in order and each with its fixed id, until it is known what became of them."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from msgspec import structs

from mychatflow.rules.attachment import Attachment
from mychatflow.store import sealed_media
from mychatflow.store.cipher import TenantCipher, Unreadable
from mychatflow.store.media_vault import MediaVault
from mychatflow.store.session import AWAY
from realtime import metrics
from realtime.channels.gateway_types import GatewayFailed, HistoryMessage, MediaFile, SendKind, SendOutcome
from realtime.channels.waha import WahaClient, make_message_id
from realtime.engine import dispatches
from realtime.engine.doubts import Doubts
from realtime.engine.gateways import Gateways
from realtime.engine.pace import Pace
from realtime.engine.parcel import Parcel, quiet_seconds
from realtime.engine.sent import DispatchBook, Start
from realtime.engine.turnstile import Turnstile
from realtime.engine.work import Chat, OutboxRow

_PAUSES: Final = (0.2, 0.8)
_LONGEST_WAIT: Final = 5.0
_RETRIED: Final = frozenset({SendKind.AMBIGUOUS, SendKind.REJECTED_RETRY})
_MOST_OPENINGS: Final = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Queue:
    """What is left of a chat's outbox: whether new messages must wait behind it, and when to come again."""

    is_blocked: bool
    again_at: datetime | None
    # The rest of a long reply will not be said: what the chat holds must be read again.
    is_cut: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Handed:
    """When to come again for a message that is still under way, and whether the freed chat has more work."""

    again_at: datetime | None
    is_due: bool


class Courier:
    def __init__(
        self,
        gateways: Gateways,
        book: DispatchBook,
        pace: Pace,
        doubts: Doubts,
        vault: MediaVault,
        turnstile: Turnstile | None = None,
    ) -> None:
        self._gateways = gateways
        self._book = book
        self._pace = pace
        self._doubts = doubts
        self._vault = vault
        self._turnstile = turnstile or Turnstile()

    @property
    def pending(self) -> int:
        return self._book.pending

    def client(self, chat: Chat, cipher: TenantCipher) -> WahaClient:
        return self._gateways.of(chat.number, instance_id=chat.lease.instance_id, cipher=cipher)

    async def clear(self, chat: Chat, cipher: TenantCipher) -> Queue:
        """Send what waits in the chat, oldest first. Raises LeaseLost."""
        planned: datetime | None = None
        is_cut = False
        for row in chat.outbox:
            # Whoever writes into a long reply hears no more of it, and is answered knowing what was said.
            is_overtaken = row.part_of is not None and row.attempts == 0 and chat.has_news
            if not row.is_due and not is_overtaken:
                if row.attempts > 0:
                    # It may be on its way: whatever came after it must not overtake it.
                    return Queue(is_blocked=True, again_at=earlier(planned, row.next_try_at))
                planned = earlier(planned, row.next_try_at)
                continue
            parcel = await self._prepared(chat, row, cipher)
            is_cut = is_cut or (is_overtaken and parcel is None)
            handed = await self.send(chat, parcel, cipher) if parcel else None
            if handed is not None and handed.again_at is not None:
                return Queue(is_blocked=True, again_at=earlier(planned, handed.again_at))
        return Queue(is_blocked=False, again_at=planned, is_cut=is_cut)

    async def send(
        self,
        chat: Chat,
        parcel: Parcel,
        cipher: TenantCipher,
        *,
        releases: bool = False,
        due_at: datetime | None = None,
    ) -> Handed:
        """Send it and write down what became of it.

        `releases` gives the chat back with the same stroke; `due_at` is when something else of it is due.
        """
        delay = max(
            self._pace.held_for(chat.lease.instance_id),
            self._pace.wait(chat.lease.instance_id, parcel.outbox_id, sends_per_minute=chat.number.sends_per_minute),
        )
        if delay > _LONGEST_WAIT:
            verdict = dispatches.later(chat, parcel, seconds=delay)
        else:
            with self._turnstile.elsewhere(chat.lease.tenant_id):
                await asyncio.sleep(delay)
                self._pace.sent(parcel.outbox_id)
                with metrics.send_seconds.time():
                    outcome = await self._attempts(chat, parcel, cipher)
            metrics.sends.labels(parcel.kind, outcome.kind.value).inc()
            verdict = dispatches.verdict(chat, parcel, outcome, at=datetime.now(UTC))
            self._remember(chat, outcome, verdict)
        again_at = verdict.dispatch.next_try_at
        is_due = await self._book.mark(
            structs.replace(verdict.dispatch, releases=releases, due_at=earlier(due_at, again_at))
        )
        return Handed(again_at=again_at, is_due=is_due)

    def _remember(self, chat: Chat, outcome: SendOutcome, verdict: dispatches.Verdict) -> None:
        if verdict.hold_seconds:
            self._pace.hold(chat.lease.instance_id, seconds=verdict.hold_seconds)
        elif outcome.is_sent:
            self._pace.free(chat.lease.instance_id)

    async def _attempts(self, chat: Chat, parcel: Parcel, cipher: TenantCipher) -> SendOutcome:
        """With a fixed id a doubt is cleared by sending again; without one only the chat's history can tell."""
        if not parcel.is_readable:
            # A new key may be on its way to this worker; what stays shut is given up, and the chat goes on.
            kind = SendKind.REJECTED_RETRY if parcel.attempts < _MOST_OPENINGS else SendKind.REJECTED_FINAL
            return SendOutcome(kind=kind, detail="no key of ours opens it")
        client = self.client(chat, cipher)
        if parcel.is_doubtful and not parcel.keeps_id(chat.number):
            found = await self._found(chat, parcel, client) or await self._doubted(chat, parcel)
            if found is not None:
                return found
        outcome = await self._attempt(chat, parcel, client, cipher)
        for pause in _PAUSES:
            is_safe = parcel.keeps_id(chat.number) or outcome.kind is SendKind.REJECTED_RETRY
            if outcome.kind not in _RETRIED or not is_safe:
                break
            await asyncio.sleep(pause)
            outcome = await self._attempt(chat, parcel, client, cipher)
        return outcome

    async def _attempt(self, chat: Chat, parcel: Parcel, client: WahaClient, cipher: TenantCipher) -> SendOutcome:
        session, chat_id = chat.number.session, chat.lease.chat_id
        if parcel.media is None:
            return await client.send_text(session, chat_id, parcel.text, message_id=parcel.wa_message_id)
        try:
            data = await asyncio.to_thread(self._vault.load, cipher, parcel.interaction_id)
        except OSError as error:
            return SendOutcome(kind=SendKind.REJECTED_RETRY, detail=f"file not read: {type(error).__name__}")
        except Unreadable:
            data = None
        if data is None:
            return SendOutcome(kind=SendKind.REJECTED_FINAL, detail="the file is not kept any more")
        file = MediaFile(mimetype=parcel.media.mimetype, filename=parcel.media.filename, data=data)
        return await client.send_media(session, chat_id, file, shape=parcel.media.shape, caption=parcel.text)

    async def _found(self, chat: Chat, parcel: Parcel, client: WahaClient) -> SendOutcome | None:
        """The message in the chat's history: sent. Not there: None, send it. History away: still in doubt."""
        since = (parcel.first_try_at or parcel.created_at) - timedelta(minutes=1)
        try:
            history = await client.history(chat.number.session, chat.lease.chat_id, since=since)
        except GatewayFailed as failed:
            return SendOutcome(kind=SendKind.AMBIGUOUS, detail=f"history {failed.kind}")
        alike = [message for message in reversed(history) if _is_alike(message, parcel)]
        others = await self._book.known(chat.lease.tenant_id, [message.message_id for message in alike])
        return _first_but(alike, others)

    async def _doubted(self, chat: Chat, parcel: Parcel) -> SendOutcome | None:
        """It goes out again, on record; without the record it waits on."""
        try:
            await self._doubts.note(chat, parcel)
        except AWAY as error:
            return SendOutcome(kind=SendKind.AMBIGUOUS, detail=f"audit log {type(error).__name__}")
        return None

    async def _prepared(self, chat: Chat, row: OutboxRow, cipher: TenantCipher) -> Parcel | None:
        """The row as it may be sent now: with an id fixed on disk, and allowed by opt-out and hand-off."""
        has_media = bool(row.media)
        keeps_id = chat.number.keeps_ids and not has_media
        message_id = make_message_id() if keeps_id and row.wa_message_id is None else None
        started = await self._book.start(
            Start(
                lease=chat.lease,
                outbox_id=row.id,
                wa_message_id=message_id,
                quiet_seconds=quiet_seconds(chat.number, has_media=has_media),
            )
        )
        if started.obstacle:
            return None
        words, media = _opened(row, cipher)
        return Parcel(
            outbox_id=row.id,
            interaction_id=row.interaction_id,
            contact_id=row.contact_id,
            episode_id=row.episode_id,
            kind=row.kind,
            author=row.author,
            idempotency_key=row.idempotency_key,
            text=words or "",
            media=media,
            is_readable=words is not None,
            wa_message_id=started.wa_message_id,
            attempts=row.attempts + 1,
            is_doubtful=row.state != "pending",
            first_try_at=row.first_try_at,
            created_at=row.created_at,
            waits_since=row.waits_since,
            story=dispatches.story_of(row),
        )


def _opened(row: OutboxRow, cipher: TenantCipher) -> tuple[str | None, Attachment | None]:
    """Its words and its file; no words where anything of it stays shut."""
    try:
        file = Attachment.from_row(sealed_media.opened(row.media, cipher, row_id=row.id)) if row.media else None
        return cipher.decrypt(row.body, row_id=row.id), file
    except (Unreadable, ValueError, LookupError):
        return None, None


def _is_alike(message: HistoryMessage, parcel: Parcel) -> bool:
    has_media = message.payload.get("hasMedia") is True
    return message.is_from_me and message.text == parcel.text and has_media is (parcel.media is not None)


def _first_but(alike: Sequence[HistoryMessage], others: frozenset[str]) -> SendOutcome | None:
    """The same words may have been sent twice, each time as a message of its own."""
    found = next((message for message in alike if message.message_id not in others), None)
    return SendOutcome(kind=SendKind.SENT, message_id=found.message_id) if found else None


def earlier(one: datetime | None, other: datetime | None) -> datetime | None:
    known = [moment for moment in (one, other) if moment is not None]
    return min(known, default=None)
