"""What the agent would do with a message now: a whole turn whose end is shown instead of stored and sent."""

import asyncio
from contextlib import AsyncExitStack
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from uuid import UUID, uuid4

from mychatflow.rules import lexicon
from mychatflow.rules.gates import GateAction
from mychatflow.rules.plan import DAILY_MESSAGES
from mychatflow.settings import Settings
from mychatflow.store import llm_attempts, operations, quota, tenants
from mychatflow.store.session import Store
from realtime.agent import context, deciding, endings, happened, reading, steps, stranger
from realtime.agent.drafting import Draft, Drafter
from realtime.agent.leaks import LeakRecord
from realtime.agent.ledger import Ledger
from realtime.agent.meanings import Meanings
from realtime.agent.scene import Scene
from realtime.agent.tenants import Tenant, TenantBook
from realtime.agent.tools import BookingDesk
from realtime.agent.trace import Trace
from realtime.engine.commit import Outgoing, TurnEnd
from realtime.engine.pool import engine_pool
from realtime.engine.work import Chat
from realtime.llm import breaker_record
from realtime.llm.contract import AllProvidersUnavailable
from realtime.llm.embedding import Embedder
from realtime.llm.router import Router


class NoSuchTenant(Exception):
    """It ended, or is suspended."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rehearsed:
    """How the turn would end; `texts` are the messages that the customer would read, `kind` what they are."""

    scene: Scene
    kind: str | None
    texts: tuple[str, ...] = field(repr=False)
    draft: Draft | None = None
    # The knowledge that the draft leant on, by its titles.
    sources: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Stage:
    """What a turn needs of the process; each part is the worker's own kind."""

    tenants: TenantBook
    drafter: Drafter
    meanings: Meanings
    bookings: BookingDesk
    leaks: LeakRecord


class Rehearsals:
    """One per process; the vendors' packages and a connection are opened with the first, never before."""

    def __init__(self, settings: Settings, store: Store) -> None:
        self._settings = settings
        self._store = store
        self._held = AsyncExitStack()
        self._opening = asyncio.Lock()
        self._stage: _Stage | None = None

    async def of(self, tenant_id: UUID, said: str, *, at: datetime) -> Rehearsed:
        """As if a new customer wrote it at that moment to a number that is connected.

        Its calls to models are booked and a leak that was stopped is on record; nothing else is written.
        Raises NoSuchTenant and psycopg's errors.
        """
        stage = await self._opened()
        chat = await self._chat(tenant_id, at=at)
        # A version of its own: what was saved a moment ago holds.
        tenant = await stage.tenants.get(tenant_id, version=at.isoformat())
        ledger, trace, turn_id = Ledger(), Trace(), uuid4()
        try:
            return await _turn(stage, tenant, chat, said, ledger, trace, turn_id, at=at)
        finally:
            await self._book(tenant_id, turn_id, ledger)

    async def close(self) -> None:
        await self._held.aclose()

    async def _opened(self) -> _Stage:
        async with self._opening:
            if self._stage is None:
                self._stage = await self._open()
            return self._stage

    async def _open(self) -> _Stage:
        settings = self._settings
        router = await asyncio.to_thread(_loaded, settings)
        self._held.push_async_callback(router.close)
        pool = engine_pool(settings, name="rehearsal", size=1)
        await pool.open(wait=False)
        self._held.push_async_callback(pool.close)
        return _Stage(
            tenants=TenantBook(pool, self._store.key_ring),
            drafter=Drafter(router),
            meanings=Meanings(self._store, Embedder(router.providers, settings.embedding_model, router.budgets)),
            bookings=BookingDesk(store=self._store, secret=settings.derived_secret("slot").encode(), is_rehearsal=True),
            leaks=LeakRecord(self._store),
        )

    async def _chat(self, tenant_id: UUID, *, at: datetime) -> Chat:
        today = at.astimezone(UTC).date()
        async with self._store.tenant_transaction(tenant_id) as transaction:
            known = await tenants.by_id(transaction, tenant_id)
            used = await quota.days(transaction, tenant_id, since=today)
            if known is not None:
                # A business that nobody wrote to yet has no key before this.
                await self._store.key_ring.for_tenant(tenant_id, transaction)
        if known is None:
            raise NoSuchTenant
        return stranger.chat(tenant_id, known.plan, used.get(today, 0), at=at)

    async def _book(self, tenant_id: UUID, turn_id: UUID, ledger: Ledger) -> None:
        """What was asked is paid for, whatever came of it."""
        if ledger.attempts:
            async with self._store.tenant_transaction(tenant_id) as transaction:
                for attempt in ledger.attempts:
                    await llm_attempts.book(transaction, tenant_id, asdict(attempt), turn_id=turn_id)
        if ledger.transitions:
            async with self._store.platform_transaction() as transaction:
                changes = {move.id: breaker_record.change(move) for move in ledger.transitions}
                await operations.keep_breaker_changes(transaction, changes)


def _loaded(settings: Settings) -> Router:
    """The vendors' packages and all languages' patterns take seconds, in which this process must take messages."""
    lexicon.load()
    return Router.from_settings(settings)


async def _turn(
    stage: _Stage,
    tenant: Tenant,
    chat: Chat,
    said: str,
    ledger: Ledger,
    trace: Trace,
    turn_id: UUID,
    *,
    at: datetime,
) -> Rehearsed:
    """The worker's steps in the worker's order, up to the commit."""
    read = stranger.says(chat, said, at=at)
    understood = reading.understand(read, None, tenant)
    active = steps.activate(chat, tenant, read, trace)
    steps.note_understanding(understood, trace)
    facts = happened.facts(chat, read, understood, tenant, at=at)
    steps.note_score(facts, trace)
    has_credits = chat.used_today < DAILY_MESSAGES[chat.plan]
    decision = deciding.decide(chat, tenant, read, understood, active, at=at, has_credits=has_credits)
    steps.note_gates(decision, trace)
    scene = Scene(
        chat=chat,
        tenant=tenant,
        contact_id=facts.contact.id,
        episode_id=None,
        reading=read,
        understanding=understood,
        ledger=ledger,
        trace=trace,
        turn_id=turn_id,
        at=at,
    )
    if decision.action is not GateAction.REPLY:
        return _shown(scene, endings.without_model(scene, decision))
    toolbox = await stage.bookings.open(scene)
    near = await stage.meanings.near(tenant, understood.text, ledger)
    brief = context.brief(scene, available=stage.drafter.available, toolbox=toolbox, near=near)
    steps.note_context(brief, tenant, trace)
    try:
        draft = await stage.drafter.write(brief, ledger)
        await stage.leaks.keep(scene, draft, is_rehearsal=True)
    except AllProvidersUnavailable as unavailable:
        trace.note("reply", "waits", "no model answers")
        return _shown(scene, endings.waiting(scene, retry_at=unavailable.retry_at))
    steps.note_reply(draft, brief, ledger, trace)
    trace.note("follow_ups", *deciding.follow_up_note(tenant, draft))
    end = endings.with_draft(scene, draft, active, newer="ignored")
    return replace(_shown(scene, end), draft=draft, sources=tuple(brief.titles(draft.sources)))


def _shown(scene: Scene, end: TurnEnd) -> Rehearsed:
    sent = [end.outgoing, *end.further] if end.outgoing else []
    kind = sent[0].kind if sent else None
    return Rehearsed(scene=scene, kind=kind, texts=tuple(_text(scene, each) for each in sent))


def _text(scene: Scene, outgoing: Outgoing) -> str:
    return scene.tenant.cipher.decrypt(outgoing.body, row_id=outgoing.outbox_id)
