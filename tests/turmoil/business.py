"""The businesses of a run: two numbers each, a key of the owner's, something to book and people who write to them."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from mychatflow.store import tenants
from mychatflow.store.session import Store
from tests.chaos.cluster import HMAC_KEY
from tests.factories import Tenant, a_quick_reply, a_resource, a_second_number, a_service, a_tenant
from tests.fakes.waha import FakeWaha
from tests.realtime.api.possessions import a_key

_PHONES: Final = 12
_HIDDEN: Final = 4
# Again and again: a web process that is away for seconds must cost no message.
_RETRIES: Final[dict[str, Any]] = {"policy": "constant", "delaySeconds": 0.3, "attempts": 60}


@dataclass(slots=True, kw_only=True)
class Business:
    """`sessions` are its two numbers, by the gateway's name for them; `ended_at` is when its owner gave it up."""

    tenant: Tenant
    name: str
    sessions: dict[str, UUID]
    key: str
    service_id: UUID
    chats: tuple[str, ...]
    # Of the first of its people's phones; the others count on from there.
    first_phone: int
    endpoints: list[UUID] = field(default_factory=list)
    ended_at: datetime | None = None


async def a_business(store: Store, number: int) -> Business:
    first, second = f"shop-{number}-a", f"shop-{number}-b"
    tenant = await a_tenant(store, session=first, plan="enterprise", typing_indicator_enabled=False, debounce_ms=300)
    second_id = await a_second_number(store, tenant, session=second)
    _, key = await a_key(store, tenant)
    service = await a_service(store, tenant)
    await a_resource(store, tenant)
    await a_quick_reply(store, tenant, title="Prices", body="A double room costs 120 euros a night.")
    phone = 34_600_000_000 + 1_000 * number
    async with store.tenant_transaction(tenant.tenant_id) as transaction:
        known = await tenants.by_id(transaction, tenant.tenant_id)
    assert known is not None
    return Business(
        tenant=tenant,
        name=known.name,
        sessions={first: tenant.instance_id, second: second_id},
        key=key,
        service_id=service["id"],
        chats=tuple(
            [f"{phone + place}@c.us" for place in range(_PHONES)]
            + [f"{77_000_000_000 + 1_000 * number + place}@lid" for place in range(_HIDDEN)]
        ),
        first_phone=phone,
    )


async def connect(gateway: FakeWaha, business: Business, *, webhook_url: str) -> None:
    for session in business.sessions:
        await gateway.a_session(session, webhook_url=webhook_url, hmac_key=HMAC_KEY, retries=_RETRIES)
