"""The API over real HTTP: two tenants behind one door, and a caller for every role."""

import contextlib
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import httpx
import psycopg
import pytest
import redis.asyncio
from psycopg.rows import dict_row
from sqlalchemy import text

from mychatflow.rules.attributes import Definition
from mychatflow.rules.role import Role
from mychatflow.settings import Settings
from mychatflow.store import (
    api_keys,
    contact_attributes,
    contact_imports,
    data_requests,
    documents,
    follow_up_runs,
    follow_up_sequences,
    segments,
)
from mychatflow.store.data_requests import Kind
from mychatflow.store.media_vault import MediaVault
from mychatflow.store.session import Store
from tests.factories import Tenant, a_campaign, a_contact, a_quick_reply, a_resource, a_sequence, a_service, a_tenant
from tests.realtime.webhooks.conftest import serving

NOW = datetime.now(UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class Shop:
    """A tenant with one of everything that the API shows by its id."""

    tenant: Tenant
    contact_id: UUID
    quick_reply_id: UUID
    notification_id: UUID
    episode_id: UUID
    service_id: UUID
    resource_id: UUID
    appointment_id: UUID
    document_id: UUID
    question_id: UUID
    campaign_id: UUID
    sequence_id: UUID
    import_id: UUID
    segment_id: UUID
    run_id: UUID
    key_id: UUID
    key: str
    member_id: UUID
    export_id: UUID
    erasure_id: UUID
    # Of no message: a file is kept by those tests that ask for one.
    message_id: UUID = field(default_factory=uuid4)

    @property
    def ids(self) -> dict[str, UUID | str]:
        return {
            "contact_id": self.contact_id,
            "quick_reply_id": self.quick_reply_id,
            "notification_id": self.notification_id,
            "episode_id": self.episode_id,
            "service_id": self.service_id,
            "resource_id": self.resource_id,
            "appointment_id": self.appointment_id,
            "document_id": self.document_id,
            "question_id": self.question_id,
            "campaign_id": self.campaign_id,
            "sequence_id": self.sequence_id,
            "import_id": self.import_id,
            "segment_id": self.segment_id,
            "attribute_key": f"k{self.tenant.tenant_id.hex}",
            "run_id": self.run_id,
            "key_id": self.key_id,
            "member_id": self.member_id,
            "export_id": self.export_id,
            "erasure_id": self.erasure_id,
            "message_id": self.message_id,
            "instance_id": self.tenant.instance_id,
        }


async def a_key(store: Store, tenant: Tenant, role: Role = Role.OWNER, **changes: Any) -> tuple[UUID, str]:
    async with store.tenant_transaction(tenant.tenant_id) as transaction:
        key, secret = await api_keys.create(transaction, tenant.tenant_id, name=role.value, role=role, **changes)
    return key.key_id, secret


async def a_message(
    store: Store, tenant: Tenant, contact_id: UUID, words: str, *, at: datetime = NOW, trace: str | None = None
) -> UUID:
    message_id = uuid4()
    async with store.tenant_transaction(tenant.tenant_id) as transaction:
        cipher = await store.key_ring.for_tenant(tenant.tenant_id, transaction)
        await transaction.execute(
            text(
                "insert into interactions (tenant_id, id, occurred_at, contact_id, instance_id, direction, author,"
                " content, content_length, status, trace) values (:tenant_id, :id, :at, :contact_id, :instance_id,"
                " 'incoming', 'customer', :content, :length, 'received', cast(:trace as jsonb))"
            ),
            {
                "tenant_id": tenant.tenant_id,
                "id": message_id,
                "at": at,
                "contact_id": contact_id,
                "instance_id": tenant.instance_id,
                "content": cipher.encrypt(words, row_id=message_id),
                "length": len(words),
                "trace": trace,
            },
        )
    return message_id


async def an_episode(store: Store, tenant: Tenant, contact_id: UUID) -> UUID:
    async with store.platform_transaction() as transaction:
        made = await transaction.execute(
            text(
                "insert into episodes (tenant_id, contact_id, instance_id, start_reason, started_at, waiting_since,"
                " agent_reply_count) values (:tenant_id, :contact_id, :instance_id, 'initial', :at, :at, 1)"
                " returning id"
            ),
            {
                "tenant_id": tenant.tenant_id,
                "contact_id": contact_id,
                "instance_id": tenant.instance_id,
                "at": NOW,
            },
        )
        return UUID(str(made.scalar_one()))


async def a_notification(store: Store, tenant: Tenant) -> UUID:
    async with store.platform_transaction() as transaction:
        made = await transaction.execute(
            text(
                "insert into notifications (tenant_id, kind, title) values (:tenant_id, 'handoff', 'Somebody waits')"
                " returning id"
            ),
            {"tenant_id": tenant.tenant_id},
        )
        return UUID(str(made.scalar_one()))


async def a_file(store: Store, tenant: Tenant, contact_id: UUID) -> UUID:
    """A message that brought a file along."""
    message_id = await a_message(store, tenant, contact_id, "look", at=NOW - timedelta(days=40))
    async with store.tenant_transaction(tenant.tenant_id) as transaction:
        cipher = await store.key_ring.for_tenant(tenant.tenant_id, transaction)
        await transaction.execute(
            text(
                "insert into media_files (tenant_id, id, contact_id, mimetype, byte_size)"
                " values (:tenant_id, :id, :contact_id, 'application/pdf', 5)"
            ),
            {"tenant_id": tenant.tenant_id, "id": message_id, "contact_id": contact_id},
        )
    MediaVault(store._settings.media_dir).save(cipher, message_id, b"%PDF-")
    return message_id


async def a_document(store: Store, tenant: Tenant) -> UUID:
    """A web page that was read."""
    async with store.tenant_transaction(tenant.tenant_id) as transaction:
        made = await documents.create(
            transaction, tenant.tenant_id, title="Page", kind="url", language="en", at=NOW, source_url="https://a.test/"
        )
        await transaction.execute(text("update documents set ingest_due_at = null, status = 'ready'"))
    return UUID(str(made["id"]))


async def a_question(store: Store, tenant: Tenant, contact_id: UUID, words: str | None = None) -> UUID:
    """One that was asked in vain; its message is erased unless the words are given."""
    interaction_id = await a_message(store, tenant, contact_id, words) if words else uuid4()
    async with store.platform_transaction() as transaction:
        made = await transaction.execute(
            text(
                "insert into unanswered_questions (tenant_id, id, contact_id, interaction_id, interaction_at, language,"
                " reason, asked_at) values (:tenant_id, gen_random_uuid(), :contact_id, :interaction_id, :at, 'en',"
                " 'clarify', :at) returning id"
            ),
            {"tenant_id": tenant.tenant_id, "contact_id": contact_id, "interaction_id": interaction_id, "at": NOW},
        )
        return UUID(str(made.scalar_one()))


async def an_appointment(
    store: Store, tenant: Tenant, contact_id: UUID, service_id: UUID, resource_id: UUID, *, at: datetime = NOW
) -> UUID:
    """Booked, and over."""
    async with store.platform_transaction() as transaction:
        made = await transaction.execute(
            text(
                "insert into appointments (tenant_id, contact_id, service_id, resource_id, during, starts_at, ends_at,"
                " timezone, status, idempotency_key, ics_uid, booked_at) values (:tenant_id, :contact_id, :service_id,"
                " :resource_id, tstzrange(:since, :until), :since, :until, 'UTC', 'booked', 'made', 'one@mychatflow',"
                " :since) returning id"
            ),
            {
                "tenant_id": tenant.tenant_id,
                "contact_id": contact_id,
                "service_id": service_id,
                "resource_id": resource_id,
                "since": at - timedelta(hours=3),
                "until": at - timedelta(hours=2),
            },
        )
        return UUID(str(made.scalar_one()))


async def a_member(store: Store, tenant: Tenant, role: Role = Role.VIEWER, **changes: Any) -> UUID:
    """Somebody who came."""
    values = {"email": f"{uuid4().hex[:8]}@example.test", "role": role.value, "joined_at": NOW} | changes
    names = ", ".join(values)
    async with store.platform_transaction() as transaction:
        made = await transaction.execute(
            text(
                f"insert into team_members (tenant_id, {names})"
                f" values (:tenant_id, {', '.join(f':{name}' for name in values)}) returning id"
            ),
            values | {"tenant_id": tenant.tenant_id},
        )
        return UUID(str(made.scalar_one()))


async def a_data_request(store: Store, tenant: Tenant, kind: Kind, contact_id: UUID) -> UUID:
    """Long done."""
    async with store.platform_transaction() as transaction:
        asked = await data_requests.ask(
            transaction, kind, tenant.tenant_id, contact_id=contact_id, actor="test", at=NOW - timedelta(days=1)
        )
        await transaction.execute(text(f"update {kind} set state = 'failed'"))
    return UUID(str(asked["id"]))


async def a_segment(store: Store, tenant: Tenant) -> UUID:
    """Everybody."""
    async with store.tenant_transaction(tenant.tenant_id) as transaction:
        made = await segments.create(transaction, tenant.tenant_id, name="All", filter_json="{}")
    return UUID(str(made["id"]))


async def an_import(store: Store, tenant: Tenant) -> UUID:
    """Read to its end."""
    async with store.tenant_transaction(tenant.tenant_id) as transaction:
        made = await contact_imports.create(
            transaction,
            uuid4(),
            b"phone",
            cipher=await store.key_ring.for_tenant(tenant.tenant_id, transaction),
            instance_id=tenant.instance_id,
            opt_in_method=None,
            row_count=0,
            created_by="test",
            at=NOW,
        )
        await transaction.execute(text("update contact_imports set due_at = null, state = 'done'"))
    return UUID(str(made["id"]))


async def a_run(store: Store, tenant: Tenant, sequence_id: UUID, contact_id: UUID) -> UUID:
    """Begun by hand."""
    async with store.tenant_transaction(tenant.tenant_id) as transaction:
        sequence = await follow_up_sequences.by_id(transaction, tenant.tenant_id, sequence_id)
        made = await follow_up_runs.assign(
            transaction, tenant.tenant_id, sequence, contact_id, started_by="test", at=NOW
        )
    return UUID(str(made["id"]))


async def a_shop(store: Store, **settings: Any) -> Shop:
    tenant = await a_tenant(store, **settings)
    contact_id = await a_contact(store, tenant, last_message_at=NOW, lead_grade="A", tags=["vip"])
    key_id, key = await a_key(store, tenant)
    service, resource_id = await a_service(store, tenant), await a_resource(store, tenant)
    sequence_id = await a_sequence(store, tenant)
    async with store.tenant_transaction(tenant.tenant_id) as transaction:
        definition = Definition(key=f"k{tenant.tenant_id.hex}", type="text")
        await contact_attributes.define(transaction, tenant.tenant_id, definition, label="Own")
    return Shop(
        tenant=tenant,
        contact_id=contact_id,
        quick_reply_id=await a_quick_reply(store, tenant, title="Price", body="A cut is 20 €."),
        notification_id=await a_notification(store, tenant),
        episode_id=await an_episode(store, tenant, contact_id),
        service_id=service["id"],
        resource_id=resource_id,
        appointment_id=await an_appointment(store, tenant, contact_id, service["id"], resource_id),
        document_id=await a_document(store, tenant),
        question_id=await a_question(store, tenant, contact_id),
        campaign_id=await a_campaign(store, tenant),
        sequence_id=sequence_id,
        import_id=await an_import(store, tenant),
        segment_id=await a_segment(store, tenant),
        run_id=await a_run(store, tenant, sequence_id, contact_id),
        key_id=key_id,
        key=key,
        member_id=await a_member(store, tenant),
        export_id=await a_data_request(store, tenant, "exports", contact_id),
        erasure_id=await a_data_request(store, tenant, "erasures", contact_id),
    )


def bearer(key: str) -> dict[str, str]:
    return {"authorization": f"Bearer {key}"}


@contextlib.asynccontextmanager
async def served(settings: Settings) -> AsyncIterator[httpx.AsyncClient]:
    async with (
        serving(settings) as (base_url, _),
        httpx.AsyncClient(base_url=f"{base_url}/api/v1", trust_env=False, timeout=30) as client,
    ):
        yield client


@pytest.fixture
async def shop(store: Store) -> Shop:
    return await a_shop(store)


@pytest.fixture
async def api(fresh: Settings, shop: Shop, redis_client: redis.asyncio.Redis) -> AsyncIterator[httpx.AsyncClient]:
    """As the shop's owner."""
    assert await redis_client.ping()
    async with served(fresh) as client:
        client.headers.update(bearer(shop.key))
        yield client


@pytest.fixture
def rows(fresh: Settings) -> Callable[..., list[dict[str, Any]]]:
    """What the database holds, past every wall."""

    def query(sql: str, *parameters: Any) -> list[dict[str, Any]]:
        with psycopg.connect(fresh.role_url("pipeline"), row_factory=dict_row) as connection:
            return connection.execute(sql, parameters).fetchall()

    return query
