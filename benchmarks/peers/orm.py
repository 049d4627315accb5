"""The peer of our turn: the same work as FastAPI, SQLAlchemy's ORM and the SDKs' defaults do it, step by step."""

import asyncio
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
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine
from sqlalchemy.ext.automap import automap_base

from mychatflow.rules import intents
from mychatflow.settings import load
from mychatflow.store.cipher import KeyRing, TenantCipher

_Base: Any = automap_base()


class Peer:
    """One process that answers webhooks at once and works in background tasks."""

    def __init__(self) -> None:
        settings = load()
        url = settings.role_url("engine").replace("postgresql://", "postgresql+psycopg://", 1)
        self._engine = create_async_engine(url, pool_size=20, max_overflow=20)
        self._sessions = async_sessionmaker(self._engine, expire_on_commit=False)
        self._key_ring = KeyRing(settings.master)
        self._key = settings.webhook_secrets[0]
        self._model = openai.AsyncOpenAI(base_url=settings.openai_base_url, api_key="sk-benchmark")
        self._gateway = httpx.AsyncClient(base_url=settings.gateway_url, headers={"X-Api-Key": settings.gateway_key})
        self._tasks: set[asyncio.Task[None]] = set()
        self._tables: Any = None

    async def open(self) -> None:
        async with self._engine.begin() as connection:
            await connection.run_sync(lambda sync: _Base.prepare(sync, generate_relationship=lambda *_, **__: None))
        self._tables = _Base.classes

    async def close(self) -> None:
        await asyncio.gather(*self._tasks, return_exceptions=True)
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
            cipher = await self._cipher(session, instance.tenant_id)
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
        task = asyncio.create_task(self._turn(instance, payload))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return {"status": "ok"}

    async def _turn(self, instance: Any, payload: dict[str, Any]) -> None:
        async with self._sessions() as session:
            cipher = await self._cipher(session, instance.tenant_id)
            contact = await self._incoming(session, instance, payload, cipher)
            messages = await self._context(session, contact, cipher)
        answer = await self._model.chat.completions.create(model="gpt-5.4-mini", messages=messages, max_tokens=400)
        text = answer.choices[0].message.content or ""
        async with self._sessions() as session:
            outbox = await self._outgoing(session, instance, contact, text, cipher)
            sent = await self._gateway.post(
                "/api/sendText", json={"session": instance.session, "chatId": contact.chat_id, "text": text}
            )
            sent.raise_for_status()
            outbox.state, outbox.sent_at = "sent", datetime.now(UTC)
            session.add(self._event(contact, "message_sent", {}))
            await session.commit()

    async def _incoming(
        self, session: AsyncSession, instance: Any, payload: dict[str, Any], cipher: TenantCipher
    ) -> Any:
        tables, now = self._tables, datetime.now(UTC)
        found = await session.execute(
            select(tables.contacts).where(
                tables.contacts.tenant_id == instance.tenant_id, tables.contacts.wa_id == payload["from"]
            )
        )
        contact = found.scalar_one_or_none()
        if contact is None:
            contact = tables.contacts(
                tenant_id=instance.tenant_id,
                id=uuid.uuid4(),
                instance_id=instance.id,
                wa_id=payload["from"],
                chat_id=payload["from"],
            )
            session.add(contact)
        contact.last_message_at = contact.last_inbound_at = now
        await session.commit()
        signals = intents.extract(payload["body"])
        row = uuid.uuid4()
        session.add(
            tables.interactions(
                tenant_id=instance.tenant_id,
                id=row,
                occurred_at=now,
                contact_id=contact.id,
                instance_id=instance.id,
                message_id=payload["id"],
                direction="incoming",
                author="customer",
                status="received",
                content=cipher.encrypt(payload["body"], row_id=row),
                is_question=signals.is_question,
                intents=list(signals.intents),
            )
        )
        session.add(self._event(contact, "message_received", {"message_id": payload["id"]}))
        await session.commit()
        return contact

    async def _context(self, session: AsyncSession, contact: Any, cipher: TenantCipher) -> list[Any]:
        tables = self._tables
        settings: Any = await session.get(tables.settings, contact.tenant_id)
        replies = await session.execute(
            select(tables.quick_replies).where(tables.quick_replies.tenant_id == contact.tenant_id)
        )
        history = await session.execute(
            select(tables.interactions)
            .where(tables.interactions.tenant_id == contact.tenant_id, tables.interactions.contact_id == contact.id)
            .order_by(tables.interactions.occurred_at.desc())
            .limit(20)
        )
        contact.lead_score = min(100, contact.lead_score + 2)
        session.add(self._event(contact, "lead_scored", {"score": contact.lead_score}))
        await session.commit()
        knowledge = "\n".join(f"{reply.title}: {reply.body}" for reply in replies.scalars())
        messages: list[Any] = [{"role": "system", "content": f"You answer for {settings.business_name}.\n{knowledge}"}]
        for row in reversed(history.scalars().all()):
            role = "user" if row.direction == "incoming" else "assistant"
            messages.append({"role": role, "content": cipher.decrypt(row.content, row_id=row.id)})
        return messages

    async def _outgoing(
        self, session: AsyncSession, instance: Any, contact: Any, text: str, cipher: TenantCipher
    ) -> Any:
        tables, now, row, key = self._tables, datetime.now(UTC), uuid.uuid4(), uuid.uuid4()
        session.add(
            tables.interactions(
                tenant_id=contact.tenant_id,
                id=row,
                occurred_at=now,
                contact_id=contact.id,
                instance_id=instance.id,
                direction="outgoing",
                author="agent",
                status="pending",
                ai_generated=True,
                content=cipher.encrypt(text, row_id=row),
            )
        )
        outbox = tables.outbox(
            tenant_id=contact.tenant_id,
            id=key,
            instance_id=instance.id,
            contact_id=contact.id,
            chat_id=contact.chat_id,
            interaction_id=row,
            interaction_at=now,
            kind="reply",
            idempotency_key=str(key),
            body=cipher.encrypt(text, row_id=key),
        )
        session.add(outbox)
        session.add(self._event(contact, "llm_attempt", {"provider": "openai"}))
        await session.commit()
        return outbox

    def _event(self, contact: Any, kind: str, properties: dict[str, Any]) -> Any:
        return self._tables.analytics_events(
            tenant_id=contact.tenant_id,
            event_id=uuid.uuid4(),
            occurred_at=datetime.now(UTC),
            event_type=kind,
            instance_id=contact.instance_id,
            contact_id=contact.id,
            properties=properties,
        )

    async def _instance(self, session: AsyncSession, name: str) -> Any:
        found = await session.execute(select(self._tables.instances).where(self._tables.instances.session == name))
        return found.scalar_one()

    async def _cipher(self, session: AsyncSession, tenant_id: uuid.UUID) -> TenantCipher:
        return await self._key_ring.for_tenant(tenant_id, await session.connection())


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
