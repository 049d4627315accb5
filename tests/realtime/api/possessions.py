"""What a business of the API tests has: one function a thing, with usual values and keyword changes."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import text

from mychatflow.rules.role import Role
from mychatflow.store import (
    api_keys,
    contact_imports,
    data_requests,
    documents,
    follow_up_runs,
    follow_up_sequences,
    media_vault,
    segments,
    webhook_endpoints,
)
from mychatflow.store.data_requests import Kind
from mychatflow.store.session import Store
from tests.factories import Tenant


async def a_key(store: Store, tenant: Tenant, role: Role = Role.OWNER, **changes: Any) -> tuple[UUID, str]:
    async with store.tenant_transaction(tenant.tenant_id) as transaction:
        key, secret = await api_keys.create(transaction, tenant.tenant_id, name=role.value, role=role, **changes)
    return key.key_id, secret


async def a_message(
    store: Store, tenant: Tenant, contact_id: UUID, words: str, *, at: datetime | None = None, trace: str | None = None
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
                "at": at or datetime.now(UTC),
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
                "at": datetime.now(UTC),
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
    message_id = await a_message(store, tenant, contact_id, "look", at=datetime.now(UTC) - timedelta(days=40))
    async with store.tenant_transaction(tenant.tenant_id) as transaction:
        cipher = await store.key_ring.for_tenant(tenant.tenant_id, transaction)
        await transaction.execute(
            text(
                "insert into media_files (tenant_id, id, contact_id, mimetype, byte_size)"
                " values (:tenant_id, :id, :contact_id, 'application/pdf', 5)"
            ),
            {"tenant_id": tenant.tenant_id, "id": message_id, "contact_id": contact_id},
        )
    media_vault.opened(store._settings).save(cipher, message_id, b"%PDF-")
    return message_id


async def a_document(store: Store, tenant: Tenant) -> UUID:
    """A web page that was read."""
    async with store.tenant_transaction(tenant.tenant_id) as transaction:
        made = await documents.create(
            transaction,
            tenant.tenant_id,
            title="Page",
            kind="url",
            language="en",
            at=datetime.now(UTC),
            source_url="https://a.test/",
        )
        await transaction.execute(text("update documents set ingest_due_at = null, status = 'ready'"))
    return UUID(str(made["id"]))


async def a_question(store: Store, tenant: Tenant, contact_id: UUID, words: str | None = None) -> UUID:
    """One that was asked in vain; its message is erased unless the words are given."""
    at = datetime.now(UTC)
    interaction_id = await a_message(store, tenant, contact_id, words, at=at) if words else uuid4()
    async with store.platform_transaction() as transaction:
        made = await transaction.execute(
            text(
                "insert into unanswered_questions (tenant_id, id, contact_id, interaction_id, interaction_at, language,"
                " reason, asked_at) values (:tenant_id, gen_random_uuid(), :contact_id, :interaction_id, :at, 'en',"
                " 'clarify', :at) returning id"
            ),
            {
                "tenant_id": tenant.tenant_id,
                "contact_id": contact_id,
                "interaction_id": interaction_id,
                "at": at,
            },
        )
        return UUID(str(made.scalar_one()))


async def an_appointment(
    store: Store, tenant: Tenant, contact_id: UUID, service_id: UUID, resource_id: UUID, *, at: datetime | None = None
) -> UUID:
    """Booked, and over."""
    at = at or datetime.now(UTC)
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
    values = {"email": f"{uuid4().hex[:8]}@example.test", "role": role.value, "joined_at": datetime.now(UTC)} | changes
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
            transaction,
            kind,
            tenant.tenant_id,
            contact_id=contact_id,
            actor="test",
            at=datetime.now(UTC) - timedelta(days=1),
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
            at=datetime.now(UTC),
        )
        await transaction.execute(text("update contact_imports set due_at = null, state = 'done'"))
    return UUID(str(made["id"]))


async def an_endpoint(store: Store, tenant: Tenant) -> tuple[UUID, UUID]:
    """Switched off, with a delivery that was given up."""
    async with store.tenant_transaction(tenant.tenant_id) as transaction:
        cipher = await store.key_ring.for_tenant(tenant.tenant_id, transaction)
        made = await webhook_endpoints.create(
            transaction, "https://example.test/hooks", description=None, event_types=(), cipher=cipher
        )
        assert made is not None
        await webhook_endpoints.change(transaction, tenant.tenant_id, made[0]["id"], is_active=False)
        told = await transaction.execute(
            text(
                "insert into webhook_deliveries (tenant_id, endpoint_id, event_id, state)"
                " values (:tenant_id, :endpoint_id, gen_random_uuid(), 'failed') returning id"
            ),
            {"tenant_id": tenant.tenant_id, "endpoint_id": made[0]["id"]},
        )
        return made[0]["id"], UUID(str(told.scalar_one()))


async def a_run(store: Store, tenant: Tenant, sequence_id: UUID, contact_id: UUID) -> UUID:
    """Begun by hand."""
    async with store.tenant_transaction(tenant.tenant_id) as transaction:
        sequence = await follow_up_sequences.by_id(transaction, tenant.tenant_id, sequence_id)
        made = await follow_up_runs.assign(
            transaction, tenant.tenant_id, sequence, contact_id, started_by="test", at=datetime.now(UTC)
        )
    return UUID(str(made["id"]))
