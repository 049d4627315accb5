"""Tenants, numbers and contacts with usual values: a test states only the facts it turns on."""

import itertools
import json
from dataclasses import dataclass
from datetime import UTC, datetime, time
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import text

from mychatflow.store import campaigns, follow_up_sequences, services
from mychatflow.store.session import Store

NOON = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
_numbers = itertools.count(1)
_OPEN_SETTINGS = {"debounce_ms": 0, "reply_rate_per_contact_hour": 0, "loop_guard_enabled": False}

_NUMBER = text(
    "insert into instances (tenant_id, id, session, name, status, session_status, engine, sends_per_minute)"
    " values (:tenant_id, :instance_id, :session, :name, 'connected', 'WORKING', :engine, 6000)"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Tenant:
    tenant_id: UUID
    instance_id: UUID
    session: str


async def a_tenant(
    store: Store, *, session: str | None = None, plan: str = "pro", engine: str = "NOWEB", **settings: Any
) -> Tenant:
    """A tenant with one connected number; no debounce, no rate limit and no loop guard unless `settings` says so."""
    number = next(_numbers)
    tenant = Tenant(tenant_id=uuid4(), instance_id=uuid4(), session=session or f"session-{number}-{uuid4().hex[:6]}")
    values = _OPEN_SETTINGS | settings
    parameters = {"tenant_id": tenant.tenant_id, "instance_id": tenant.instance_id, "session": tenant.session}
    async with store.platform_transaction() as transaction:
        await transaction.execute(
            text("insert into tenants (id, email, name, plan) values (:tenant_id, :email, :name, :plan)"),
            parameters | {"email": f"owner-{number}@example.test", "name": f"Tenant {number}", "plan": plan},
        )
        await transaction.execute(
            text("insert into settings (tenant_id) values (:tenant_id)"),
            parameters,
        )
        for name, value in values.items():
            written = json.dumps(value) if isinstance(value, dict) else value
            await transaction.execute(
                text(f"update settings set {name} = :value where tenant_id = :tenant_id"),
                parameters | {"value": written},
            )
        await transaction.execute(_NUMBER, parameters | {"name": "Front desk", "engine": engine})
    return tenant


async def a_second_number(store: Store, tenant: Tenant, *, session: str) -> UUID:
    """Connected, as the first one is."""
    instance_id = uuid4()
    values = {"tenant_id": tenant.tenant_id, "instance_id": instance_id, "session": session}
    async with store.platform_transaction() as transaction:
        await transaction.execute(_NUMBER, values | {"name": "Second", "engine": "NOWEB"})
    return instance_id


async def a_quick_reply(store: Store, tenant: Tenant, *, title: str, body: str, language: str = "en") -> UUID:
    async with store.platform_transaction() as transaction:
        found = await transaction.execute(
            text(
                "insert into quick_replies (tenant_id, title, body, language)"
                " values (:tenant_id, :title, :body, :language) returning id"
            ),
            {"tenant_id": tenant.tenant_id, "title": title, "body": body, "language": language},
        )
        return UUID(str(found.scalar_one()))


async def a_contact(store: Store, tenant: Tenant, *, wa_id: str | None = None, **columns: Any) -> UUID:
    """A contact of that tenant; further columns by keyword."""
    number = 34600000000 + next(_numbers)
    values = {"wa_id": wa_id or f"{number}@c.us", "name": "Ann", "phone": f"+{number}"} | columns
    values.setdefault("chat_id", values["wa_id"])
    names = ", ".join(values)
    async with store.platform_transaction() as transaction:
        found = await transaction.execute(
            text(
                f"insert into contacts (tenant_id, instance_id, {names})"
                f" values (:tenant_id, :instance_id, {', '.join(f':{name}' for name in values)}) returning id"
            ),
            values | {"tenant_id": tenant.tenant_id, "instance_id": tenant.instance_id},
        )
        return UUID(str(found.scalar_one()))


async def keys_lost(store: Store, tenant: Tenant) -> None:
    """What was sealed for that tenant opens with no key any more."""
    async with store.platform_transaction() as transaction:
        spoil = text("update tenant_keys set wrapped_key = decode(repeat('00', 64), 'hex') where tenant_id = :id")
        await transaction.execute(spoil, {"id": tenant.tenant_id})
    store.key_ring.forget(tenant.tenant_id)


ALWAYS_OPEN = {day: [["00:00", "24:00"]] for day in ("mon", "tue", "wed", "thu", "fri", "sat", "sun")}


async def a_service(store: Store, tenant: Tenant, **changes: Any) -> dict[str, Any]:
    """An hour long, on the hour, without notice."""
    usual = {"name": "Haircut", "duration_minutes": 60, "step_minutes": 60, "min_notice_minutes": 0}
    async with store.tenant_transaction(tenant.tenant_id) as transaction:
        return dict(await services.create(transaction, tenant.tenant_id, "services", usual | changes))


async def a_resource(store: Store, tenant: Tenant, **changes: Any) -> UUID:
    """A chair that is always free, in UTC."""
    usual = {"name": "Chair", "timezone": "UTC", "hours": ALWAYS_OPEN}
    async with store.tenant_transaction(tenant.tenant_id) as transaction:
        made = await services.create(transaction, tenant.tenant_id, "resources", usual | changes)
    return UUID(str(made["id"]))


async def a_campaign(store: Store, tenant: Tenant, **values: Any) -> UUID:
    """A draft to everybody, as fast as a campaign may go."""
    usual = {"name": "Offer", "template": "Hello {{name|friend}}", "audience": "{}", "messages_per_minute": 600}
    async with store.tenant_transaction(tenant.tenant_id) as transaction:
        made = await campaigns.create(transaction, tenant.tenant_id, usual | values, created_by=None)
    return UUID(str(made["id"]))


async def a_sequence(store: Store, tenant: Tenant, *templates: str, **values: Any) -> UUID:
    """One step an hour, at any hour of the day, by hand alone."""
    usual = {"name": "Silence", "trigger": "manual", "quiet_from": time(), "quiet_until": time()}
    steps = [{"delay_minutes": 60, "template": each, "condition": {}} for each in templates or ("Still there?",)]
    async with store.tenant_transaction(tenant.tenant_id) as transaction:
        made = await follow_up_sequences.create(transaction, tenant.tenant_id, usual | values, steps)
    return UUID(str(made["id"]))
