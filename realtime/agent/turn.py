"""One turn of a conversation: the eleven steps from a customer's message to our answer, in order."""

import asyncio
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from typing import Final

from msgspec import structs

from mychatflow.rules.gates import GateAction
from mychatflow.rules.phone_twins import twin
from realtime.agent import context, deciding, endings, happened, hearing, reading, steps, telling
from realtime.agent.drafting import Brief, Draft, Drafter
from realtime.agent.leaks import LeakRecord
from realtime.agent.meanings import Meanings
from realtime.agent.outgoing import parcel_of
from realtime.agent.patience import Patience
from realtime.agent.scene import Scene
from realtime.agent.tenants import Tenant, TenantBook
from realtime.agent.tools import BookingDesk
from realtime.agent.trace import Trace
from realtime.engine.claim import Claims
from realtime.engine.commit import TurnCloser, TurnEnd
from realtime.engine.courier import Courier, Queue, earlier
from realtime.engine.facts import FactWriter
from realtime.engine.turnstile import Turnstile
from realtime.engine.work import Chat, Lease
from realtime.llm.contract import AllProvidersUnavailable
from realtime.llm.listening import Listener
from realtime.media.keeper import Keeper, Wanted

_COURTESY_SECONDS: Final = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """What the turn decided, not yet committed; without a scene there was nothing to answer."""

    chat: Chat
    end: TurnEnd
    scene: Scene | None = None
    draft: Draft | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Agent:
    """Answers one chat at a time; many at once in one process."""

    claims: Claims
    tenants: TenantBook
    facts: FactWriter
    closer: TurnCloser
    courier: Courier
    drafter: Drafter
    keeper: Keeper
    listener: Listener
    bookings: BookingDesk
    leaks: LeakRecord
    meanings: Meanings
    turnstile: Turnstile = field(default_factory=Turnstile)

    @property
    def pending(self) -> int:
        """Turns that are in a step of ours; those that wait for a model or the gateway are in none."""
        steps = self.claims.pending + self.facts.pending + self.closer.pending + self.courier.pending
        return steps + self.turnstile.waiting

    async def serve(self, lease: Lease) -> bool:
        """Whatever the chat holds: what waits to be sent first, then what came in. True when more waits already.

        Raises LeaseLost, UnreadableRow, cipher.Unreadable and psycopg's errors.
        """
        patience = Patience()
        while True:
            chat = await self.claims.chat(lease)
            if chat.is_given_up:
                return await self.claims.drop(lease)
            await self.turnstile.step(lease.tenant_id)
            tenant = await self.tenants.get(lease.tenant_id, version=chat.tenant_version)
            queue = await self.courier.clear(chat, tenant.cipher)
            if queue.is_cut:
                continue
            if not chat.inbox:
                return await self.claims.release(lease, due_at=queue.again_at)
            if queue.again_at is None and all(row.is_echo for row in chat.inbox):
                return await self.claims.finish_echoes(chat)
            with self.turnstile.elsewhere(lease.tenant_id):
                has_waited = await patience.settle(chat, tenant)
            if has_waited:
                continue
            ended = await self.take_turn(chat, tenant, patience)
            is_due = await self._finish(ended, tenant, queue)
            if is_due is not None:
                return is_due
            # Something changed while the model thought: read the chat again and start anew.
            patience.starts += 1

    async def take_turn(self, chat: Chat, tenant: Tenant, patience: Patience) -> Ended:
        """How the turn ends, unless something changes before it is committed."""
        trace, at = patience.trace, datetime.now(UTC)

        # 1 validate
        read = steps.validate(chat, tenant, trace)

        # 2 upsert contact, 3 store interaction: known here, on disk together with step 7
        chat = await self._with_contact(chat, read, trace)
        read = reading.told_once(read, chat)
        steps.note_interactions(read, trace)

        # 4 activation, 5 language, 6 hand-off keywords
        read = await self._with_files(chat, tenant, read, patience)
        understood = reading.understand(read, chat.contact, tenant)
        active = steps.activate(chat, tenant, read, trace)
        steps.note_understanding(understood, trace)
        decision = deciding.decide(chat, tenant, read, understood, active, at=chat.read_at)

        # 7 lead score; a turn that will ask a model takes one credit of the plan with it
        facts = happened.facts(chat, read, understood, tenant, at=at)
        facts = structs.replace(facts, reservation=deciding.reservation(chat, read, decision, at=at))
        stored = await self.facts.write(facts) if deciding.has_facts(chat, read) else None
        steps.note_score(facts, trace)
        if not read.customer:
            return Ended(chat=chat, end=endings.nothing(chat, read, contact_id=facts.contact.id, at=at))
        if stored is not None and not stored.has_credit:
            decision = deciding.decide(chat, tenant, read, understood, active, at=chat.read_at, has_credits=False)
        steps.note_gates(decision, trace)
        scene = patience.scene(chat, tenant, read, understood, facts, at=at)
        if decision.action is not GateAction.REPLY:
            return Ended(chat=chat, scene=scene, end=endings.without_model(scene, decision))

        # 8 context
        brief = await self._brief(scene)
        steps.note_context(brief, tenant, trace)

        # 9 reply: no connection and no lock is held while the model thinks
        try:
            draft = await self._draft(scene, brief)
        except AllProvidersUnavailable as unavailable:
            trace.note("reply", "waits", "no model answers")
            return Ended(chat=chat, scene=scene, end=endings.waiting(scene, retry_at=unavailable.retry_at))
        steps.note_reply(draft, brief, scene.ledger, trace)
        telling.answered(scene, draft)

        # 10 send, 11 follow-ups: durable before the gateway hears of the reply
        steps.note_sending(scene, draft, trace)
        end = endings.with_draft(scene, draft, active, newer=patience.newer)
        return Ended(chat=chat, scene=scene, end=end, draft=draft)

    async def _with_contact(self, chat: Chat, read: reading.Reading, trace: Trace) -> Chat:
        """A hidden chat may carry a known person's number, and a Brazilian number has two forms."""
        wa_id = happened.wa_id_of(chat, read)
        for known_as in (wa_id, twin(wa_id)):
            if chat.contact is None and known_as is not None and known_as != chat.lease.chat_id:
                chat = await self.claims.read(chat.lease, wa_id=known_as)
        trace.note("contact", "known" if chat.contact else "new", str(happened.contact_id_of(chat, read)))
        return chat

    async def _with_files(
        self, chat: Chat, tenant: Tenant, read: reading.Reading, patience: Patience
    ) -> reading.Reading:
        """Fetched and kept whether or not anybody answers: the gateway forgets its files soon."""
        wanted = [
            Wanted(each.interaction_id, each.row.seq, media.url)
            for each in read.customer + read.human
            if (media := each.message.media)
        ]
        if not wanted:
            return read
        fetch = partial(self.courier.client(chat, tenant.cipher).media, chat.number.session)
        contact_id = happened.contact_id_of(chat, read)
        with self.turnstile.elsewhere(chat.lease.tenant_id):
            kept = await self.keeper.take(wanted, fetch, tenant.cipher, contact_id=contact_id)
        # Nobody need write down what a colleague says.
        spoken = {each.interaction_id for each in read.customer}
        asked = {key: file for key, file in kept.items() if key in spoken}
        known = hearing.heard_before(read, chat, tenant)
        with self.turnstile.elsewhere(chat.lease.tenant_id):
            heard = await hearing.listen(asked, self.listener, patience.ledger, known=known, purse=tenant.purse)
        files = kept | heard
        missing = [file.problem for file in files.values() if file.problem]
        patience.trace.note("media", f"{len(files) - len(missing)} kept", ", ".join(missing))
        return reading.with_files(read, files)

    async def _brief(self, scene: Scene) -> Brief:
        await self.turnstile.step(scene.tenant_id)
        toolbox = await self.bookings.open(scene)
        near = await self.meanings.near(scene.tenant, scene.understanding.text, scene.ledger)
        return context.brief(scene, available=self.drafter.available, toolbox=toolbox, near=near)

    async def _draft(self, scene: Scene, brief: Brief) -> Draft:
        """The model's answer; meanwhile the customer sees that we read and write."""
        if not scene.tenant.switches.typing_indicator_enabled:
            return await self._written(scene, brief)
        courtesy = asyncio.create_task(self._be_polite(scene))
        try:
            return await self._written(scene, brief)
        finally:
            await asyncio.wait({courtesy}, timeout=_COURTESY_SECONDS)
            courtesy.cancel()

    async def _written(self, scene: Scene, brief: Brief) -> Draft:
        draft = await self.drafter.write(brief, scene.ledger)
        await self.leaks.keep(scene, draft)
        await self.turnstile.step(scene.tenant_id)
        return draft

    async def _be_polite(self, scene: Scene) -> None:
        client = self.courier.client(scene.chat, scene.tenant.cipher)
        session, chat_id = scene.chat.number.session, scene.chat.lease.chat_id
        await client.seen(session, chat_id)
        await client.start_typing(session, chat_id)

    async def _finish(self, ended: Ended, tenant: Tenant, queue: Queue) -> bool | None:
        """Commit, then hand the message to the gateway, unless an older one of the chat must go first."""
        end, scene, lease = ended.end, ended.scene, ended.chat.lease
        due_at = earlier(end.due_at, queue.again_at)
        committed = await self.closer.close(structs.replace(end, due_at=due_at))
        await self.turnstile.step(lease.tenant_id)
        if committed.verdict != "done":
            return None
        if end.outgoing is None or scene is None:
            return committed.is_due
        if not committed.is_new and not queue.is_blocked:
            # Queued before, maybe a moment ago by ourselves: Postgres may break off with the answer to a commit.
            queue = await self.courier.clear(await self.claims.read(lease), tenant.cipher)
            due_at = earlier(end.due_at, queue.again_at)
        if not committed.is_new or queue.is_blocked:
            return await self.claims.release(lease, due_at=due_at)
        parcel, handed_at = parcel_of(scene, end.outgoing), time.time()
        handed = await self.courier.send(ended.chat, parcel, tenant.cipher, releases=True, due_at=due_at)
        telling.sent(scene, handed_at=handed_at)
        return handed.is_due
