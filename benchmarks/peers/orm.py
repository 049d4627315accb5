"""The peer of our turn as a Python team would write it first: FastAPI, a Redis queue, the ORM, the SDKs' defaults.

It writes the rows that ours writes (inbox, contact, identity, episode, two messages, score, four events, model call,
two lines of usage, outbox) and reads what ours reads, step by step with four commits a turn. It keeps no lease or
fence, sends no id of its own, and so loses or doubles messages in a crash; that work is ours alone.
"""

import hashlib
import hmac
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

import httpx
import openai
import uvicorn
from fastapi import FastAPI, HTTPException, Request
from faststream.redis import RedisBroker, StreamSub
from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine
from sqlalchemy.ext.automap import automap_base

from benchmarks.peers.rows import Rows
from mychatflow.rules import guard
from mychatflow.rules.guard import Evidence
from mychatflow.settings import load
from mychatflow.store.cipher import KeyRing

_Base: Any = automap_base()
_STREAM = "peer:turns"
_AT_ONCE = 64


class Peer:
    """One process: the web side puts each message on a stream, the worker side takes it from there."""

    def __init__(self) -> None:
        settings = load()
        url = settings.role_url("engine").replace("postgresql://", "postgresql+psycopg://", 1)
        self._engine = create_async_engine(url, pool_size=20, max_overflow=20)
        self._sessions = async_sessionmaker(self._engine, expire_on_commit=False)
        self._key_ring = KeyRing(settings.master)
        self._key = settings.webhook_secrets[0]
        self._model = openai.AsyncOpenAI(base_url=settings.openai_base_url, api_key="sk-benchmark")
        self._gateway = httpx.AsyncClient(base_url=settings.gateway_url, headers={"X-Api-Key": settings.gateway_key})
        self._broker = RedisBroker(settings.redis_address)
        self._tables: Any = None

    async def open(self) -> None:
        async with self._engine.begin() as connection:
            await connection.run_sync(lambda sync: _Base.prepare(sync, generate_relationship=lambda *_, **__: None))
        self._tables = _Base.classes
        taken = StreamSub(_STREAM, group="peer", consumer="peer-1", no_ack=True)
        self._broker.subscriber(stream=taken, max_workers=_AT_ONCE)(self.turn)
        await self._broker.start()

    async def close(self) -> None:
        await self._broker.stop()
        await self._engine.dispose()

    async def accept(self, request: Request) -> dict[str, str]:
        body = await request.body()
        expected = hmac.new(self._key, body, hashlib.sha512).hexdigest()
        if not hmac.compare_digest(expected, request.headers.get("x-webhook-hmac", "")):
            raise HTTPException(401)
        envelope = await request.json()
        payload = envelope["payload"]
        async with self._sessions() as session:
            instance = await self._instance(session, envelope["session"])
            cipher = await self._key_ring.for_tenant(instance.tenant_id, await session.connection())
            row = self._tables.inbox(
                tenant_id=instance.tenant_id,
                instance_id=instance.id,
                session=instance.session,
                message_id=payload["id"],
                lane="message",
                kind="message",
                chat_id=payload["from"],
                sent_at=datetime.fromtimestamp(payload["timestamp"], UTC),
                body=cipher.encrypt(body.decode(), row_id=payload["id"]),
            )
            session.add(row)
            await session.commit()
        await self._broker.publish({"session": instance.session, "payload": payload}, stream=_STREAM)
        return {"status": "ok"}

    async def turn(self, job: dict[str, Any]) -> None:
        payload, at = job["payload"], datetime.now(UTC)
        async with self._sessions() as session:
            instance = await self._instance(session, job["session"])
            rows = await self._rows(session, instance.tenant_id)
            contact = await rows.contact(instance, payload["from"])
            episode = await rows.episode(contact, at)
            said = rows.incoming(contact, episode, payload, at)
            rows.score(contact, said)
            await rows.reserve(contact, payload["id"])
            messages, evidence = await self._context(session, rows, contact)
            await session.commit()
        began = datetime.now(UTC)
        answer = await self._model.chat.completions.create(model="gpt-5.4-mini", messages=messages, max_tokens=400)
        text = guard.check(answer.choices[0].message.content or "", evidence=evidence, language="en").text
        async with self._sessions() as session:
            rows, now = await self._rows(session, instance.tenant_id), datetime.now(UTC)
            reply, outbox = rows.reply(contact, episode.id, text, now)
            rows.attempt(contact, answer.usage, began=began, at=now)
            (await session.merge(said)).trace = [{"step": "reply", "decision": "reply"}]
            await self._done(session, instance, payload["id"])
            await session.commit()
        sent = await self._gateway.post(
            "/api/sendText", json={"session": instance.session, "chatId": contact.chat_id, "text": text}
        )
        sent.raise_for_status()
        async with self._sessions() as session:
            rows = await self._rows(session, instance.tenant_id)
            await self._sent(session, rows, (contact, episode, reply, outbox), subject=payload["id"])
            await session.commit()

    async def _context(self, session: AsyncSession, rows: Rows, contact: Any) -> tuple[list[Any], Evidence]:
        """Read for each turn, where ours keeps settings and knowledge for five seconds."""
        tables = self._tables
        settings: Any = await session.get(tables.settings, contact.tenant_id)
        found = await session.execute(
            select(tables.quick_replies).where(tables.quick_replies.tenant_id == contact.tenant_id)
        )
        knowledge = "\n".join(f"{reply.title}: {reply.body}" for reply in found.scalars())
        messages: list[Any] = [{"role": "system", "content": f"You answer for {settings.business_name}.\n{knowledge}"}]
        for direction, text in await rows.history(contact):
            messages.append({"role": "user" if direction == "incoming" else "assistant", "content": text})
        return messages, Evidence(texts=(knowledge,))

    async def _done(self, session: AsyncSession, instance: Any, message_id: str) -> None:
        inbox = self._tables.inbox
        await session.execute(
            update(inbox)
            .where(inbox.session == instance.session, inbox.message_id == message_id)
            .values(state="done", done_at=datetime.now(UTC))
        )

    async def _sent(self, session: AsyncSession, rows: Rows, known: tuple[Any, ...], *, subject: str) -> None:
        at = datetime.now(UTC)
        contact, episode, reply, outbox = [await session.merge(row) for row in known]
        outbox.state, outbox.sent_at = "sent", at
        reply.status, reply.status_at = "sent", at
        contact.last_outgoing_at = contact.last_message_at = at
        episode.agent_reply_count += 1
        episode.is_waiting, episode.has_answer, episode.last_reply_at = False, True, at
        rows.ledger(contact, "commit", subject)
        rows.event(contact, "message_sent", {})

    async def _rows(self, session: AsyncSession, tenant_id: uuid.UUID) -> Rows:
        cipher = await self._key_ring.for_tenant(tenant_id, await session.connection())
        return Rows(self._tables, session, cipher)

    async def _instance(self, session: AsyncSession, name: str) -> Any:
        found = await session.execute(select(self._tables.instances).where(self._tables.instances.session == name))
        return found.scalar_one()


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    app.state.peer = Peer()
    await app.state.peer.open()
    yield
    await app.state.peer.close()


app = FastAPI(lifespan=_lifespan)


@app.post("/api/webhooks/whatsapp")
async def webhook(request: Request) -> dict[str, str]:
    peer: Peer = request.app.state.peer
    return await peer.accept(request)


@app.get("/ready")
async def ready() -> dict[str, str]:
    return {"status": "ok"}


if __name__ == "__main__":
    uvicorn.run(app, host="127.0.0.1", port=load().web_port, log_level="warning")
