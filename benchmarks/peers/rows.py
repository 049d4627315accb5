"""The rows of one turn, written with SQLAlchemy's ORM one after the other: the same tables and columns as ours."""

import uuid
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from mychatflow.rules import intents, language, lead_score
from mychatflow.store.cipher import TenantCipher


class Rows:
    """Reads and writes in the session of one step; the caller commits."""

    def __init__(self, tables: Any, session: AsyncSession, cipher: TenantCipher) -> None:
        self._tables = tables
        self._session = session
        self._cipher = cipher

    async def contact(self, instance: Any, chat_id: str) -> Any:
        """The contact, made with its identity when it is new."""
        tables, tenant_id = self._tables, instance.tenant_id
        found = await self._session.execute(
            select(tables.contacts).where(tables.contacts.tenant_id == tenant_id, tables.contacts.wa_id == chat_id)
        )
        contact = found.scalar_one_or_none()
        if contact is None:
            contact = tables.contacts(
                tenant_id=tenant_id, id=uuid.uuid4(), instance_id=instance.id, wa_id=chat_id, chat_id=chat_id
            )
            self._session.add(contact)
            await self._session.flush()
            phone = f"+{chat_id.partition('@')[0]}"
            self._session.add(
                tables.contact_identities(tenant_id=tenant_id, contact_id=contact.id, kind="phone", value=phone)
            )
        return contact

    async def episode(self, contact: Any, at: datetime) -> Any:
        tables = self._tables
        found = await self._session.execute(
            select(tables.episodes).where(
                tables.episodes.tenant_id == contact.tenant_id,
                tables.episodes.contact_id == contact.id,
                tables.episodes.closed_at.is_(None),
            )
        )
        episode = found.scalar_one_or_none()
        if episode is None:
            episode = tables.episodes(
                tenant_id=contact.tenant_id,
                id=uuid.uuid4(),
                contact_id=contact.id,
                instance_id=contact.instance_id,
                start_reason="initial",
                inbound_count=0,
                agent_reply_count=0,
                started_at=at,
            )
            self._session.add(episode)
        episode.inbound_count += 1
        episode.is_waiting, episode.last_inbound_at = True, at
        return episode

    def incoming(self, contact: Any, episode: Any, payload: dict[str, Any], at: datetime) -> Any:
        signals = intents.extract(payload["body"])
        found = language.decide(
            payload["body"], supported=("en",), default="en", current=None, is_locked=False, is_multilingual=True
        )
        contact.last_message_at = contact.last_inbound_at = at
        contact.preferred_language = found.decided
        said = self._message(
            contact,
            episode.id,
            payload["body"],
            occurred_at=at,
            message_id=payload["id"],
            direction="incoming",
            author="customer",
            status="received",
            language=found.decided,
            is_countable=True,
            is_question=signals.is_question,
            intents=list(signals.intents),
            extractor_version=signals.extractor_version,
        )
        self.event(contact, "message_received", {"message_id": payload["id"]})
        return said

    def score(self, contact: Any, said: Any) -> None:
        facts = lead_score.advance(
            lead_score.NO_FACTS,
            direction="in",
            at=said.occurred_at,
            question=said.is_question,
            intents=frozenset(said.intents),
            is_countable=True,
        )
        points = lead_score.score(facts, as_of=said.occurred_at)
        self._session.add(
            self._tables.lead_score_events(
                tenant_id=contact.tenant_id,
                contact_id=contact.id,
                as_of=said.occurred_at,
                cause="inbound",
                **{name: getattr(points, name) for name in points.__slots__},
                rules_version=lead_score.RULES_VERSION,
                extractor_version=intents.EXTRACTOR_VERSION,
            )
        )
        contact.lead_score, contact.lead_grade = points.score, points.grade
        self.event(contact, "lead_scored", {"score": points.score})

    async def reserve(self, contact: Any, subject: str) -> None:
        """One reply of the plan's day."""
        days, today = self._tables.usage_days, datetime.now(UTC).date()
        # Made before it is locked: else the first two turns of a day would both make it.
        await self._session.execute(
            insert(days).values(tenant_id=contact.tenant_id, usage_date=today).on_conflict_do_nothing()
        )
        day = await self._session.get_one(days, (contact.tenant_id, today), with_for_update=True)
        day.used += 1
        self.ledger(contact, "reserve", subject)

    def ledger(self, contact: Any, kind: str, subject: str) -> None:
        row = {"usage_date": datetime.now(UTC).date(), "kind": kind, "subject": subject}
        self._session.add(self._tables.usage_ledger(tenant_id=contact.tenant_id, **row))

    async def history(self, contact: Any) -> list[tuple[str, str]]:
        """Who said what, oldest first; also counts the replies of the last hour, as ours does."""
        rows = self._tables.interactions
        of_contact = (rows.tenant_id == contact.tenant_id, rows.contact_id == contact.id)
        await self._session.execute(select(func.count()).where(*of_contact, rows.author == "agent"))
        found = await self._session.execute(select(rows).where(*of_contact).order_by(rows.occurred_at.desc()).limit(30))
        return [
            (row.direction, self._cipher.decrypt(row.content, row_id=row.id)) for row in reversed(found.scalars().all())
        ]

    def reply(self, contact: Any, episode_id: uuid.UUID, text: str, at: datetime) -> tuple[Any, Any]:
        """The outgoing message and its outbox row."""
        outgoing = {"direction": "outgoing", "author": "agent", "status": "pending", "ai_generated": True}
        said = self._message(contact, episode_id, text, occurred_at=at, **outgoing)
        key = uuid.uuid4()
        outbox = self._tables.outbox(
            tenant_id=contact.tenant_id,
            id=key,
            instance_id=contact.instance_id,
            contact_id=contact.id,
            chat_id=contact.chat_id,
            interaction_id=said.id,
            interaction_at=at,
            kind="reply",
            idempotency_key=str(key),
            body=self._cipher.encrypt(text, row_id=key),
        )
        self._session.add(outbox)
        return said, outbox

    def _message(self, contact: Any, episode_id: uuid.UUID, text: str, **values: Any) -> Any:
        row = uuid.uuid4()
        said = self._tables.interactions(
            tenant_id=contact.tenant_id,
            id=row,
            contact_id=contact.id,
            instance_id=contact.instance_id,
            episode_id=episode_id,
            content=self._cipher.encrypt(text, row_id=row),
            content_length=len(text),
            token_hashes=self._cipher.token_hashes(text),
            **values,
        )
        self._session.add(said)
        return said

    def attempt(self, contact: Any, usage: Any, *, began: datetime, at: datetime) -> None:
        self._session.add(
            self._tables.llm_attempts(
                tenant_id=contact.tenant_id,
                turn_id=uuid.uuid4(),
                contact_id=contact.id,
                role="primary",
                provider="openai",
                model="gpt-5.4-mini",
                outcome="ok",
                started_at=began,
                latency_ms=round((at - began).total_seconds() * 1000),
                input_tokens=usage.prompt_tokens if usage else 0,
                output_tokens=usage.completion_tokens if usage else 0,
                price_version="none",
                won=True,
            )
        )
        self.event(contact, "llm_attempt", {"provider": "openai"})

    def event(self, contact: Any, kind: str, properties: dict[str, Any]) -> None:
        self._session.add(
            self._tables.analytics_events(
                tenant_id=contact.tenant_id,
                event_id=uuid.uuid4(),
                occurred_at=datetime.now(UTC),
                event_type=kind,
                instance_id=contact.instance_id,
                contact_id=contact.id,
                properties=properties,
            )
        )
