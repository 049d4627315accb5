"""The API over real HTTP: two tenants behind one door, and a caller for every role."""

import contextlib
import ssl
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest
import redis.asyncio

from mychatflow.rules.attributes import Definition
from mychatflow.settings import Settings
from mychatflow.store import (
    contact_attributes,
)
from mychatflow.store.session import Store
from realtime.api import crowds
from tests import asking
from tests.factories import Tenant, a_campaign, a_contact, a_quick_reply, a_resource, a_sequence, a_service, a_tenant
from tests.realtime.api.possessions import (
    a_data_request,
    a_document,
    a_key,
    a_member,
    a_notification,
    a_question,
    a_run,
    a_segment,
    an_appointment,
    an_endpoint,
    an_episode,
    an_import,
)
from tests.realtime.webhooks.conftest import serving

# What is not spoken needs none of the certificates that each client would read.
_NO_TLS = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
# A preview with a key of the tenant's own would ask a vendor on the net, and wait for it.
_NO_VENDORS = {f"{vendor}_base_url": "http://127.0.0.1:9" for vendor in ("openai", "anthropic", "gemini")}


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
    endpoint_id: UUID
    delivery_id: UUID
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
            "endpoint_id": self.endpoint_id,
            "delivery_id": self.delivery_id,
            "message_id": self.message_id,
            "instance_id": self.tenant.instance_id,
        }


async def a_shop(store: Store, **settings: Any) -> Shop:
    tenant = await a_tenant(store, **settings)
    contact_id = await a_contact(store, tenant, last_message_at=datetime.now(UTC), lead_grade="A", tags=["vip"])
    key_id, key = await a_key(store, tenant)
    service, resource_id = await a_service(store, tenant), await a_resource(store, tenant)
    sequence_id = await a_sequence(store, tenant)
    endpoint_id, delivery_id = await an_endpoint(store, tenant)
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
        endpoint_id=endpoint_id,
        delivery_id=delivery_id,
    )


def bearer(key: str) -> dict[str, str]:
    return {"authorization": f"Bearer {key}"}


@contextlib.asynccontextmanager
async def served(settings: Settings) -> AsyncIterator[httpx.AsyncClient]:
    # A test's thousand calls of one tenant are no rush.
    with pytest.MonkeyPatch.context() as unhurried:
        unhurried.setattr(crowds, "_PACE", 1e6)
        async with (
            serving(settings) as (base_url, _),
            httpx.AsyncClient(base_url=f"{base_url}/api/v1", trust_env=False, timeout=30, verify=_NO_TLS) as client,
        ):
            yield client


@pytest.fixture
async def shop(store: Store) -> Shop:
    return await a_shop(store)


@pytest.fixture
async def api(fresh: Settings, shop: Shop, redis_client: redis.asyncio.Redis) -> AsyncIterator[httpx.AsyncClient]:
    """As the shop's owner."""
    assert await redis_client.ping()
    async with served(fresh.model_copy(update=_NO_VENDORS)) as client:
        client.headers.update(bearer(shop.key))
        yield client


@pytest.fixture
def rows(fresh: Settings) -> Callable[..., list[dict[str, Any]]]:
    """What the database holds, past every wall."""

    def query(sql: str, *parameters: Any) -> list[dict[str, Any]]:
        return asking.rows(fresh.role_url("pipeline"), sql, parameters)

    return query
