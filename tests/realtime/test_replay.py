"""What the agent once answered is judged by what the business says today."""

import json
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import pytest
from sqlalchemy import text

from mychatflow.settings import Settings
from mychatflow.store.cipher import KeyRing
from mychatflow.store.session import Store
from realtime import replay
from tests.factories import Tenant, a_contact, a_quick_reply, a_tenant

NOON = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
_MESSAGE = text(
    """
    insert into interactions (
        tenant_id, id, occurred_at, contact_id, instance_id, direction, author, content, status, language, llm_provider
    )
    values (:tenant_id, :id, :at, :contact_id, :instance_id, :direction, :author, :content, 'sent', 'en', :provider)
    """
)


async def a_conversation(store: Store, settings: Settings, tenant: Tenant, *lines: tuple[str, str]) -> None:
    """Customer's and agent's lines, a minute apart."""
    contact_id: UUID = await a_contact(store, tenant)
    ring = KeyRing(*settings.masters)
    async with store.tenant_transaction(tenant.tenant_id) as transaction:
        cipher = await ring.for_tenant(tenant.tenant_id, transaction)
    async with store.platform_transaction() as transaction:
        for number, (author, said) in enumerate(lines):
            row_id = uuid4()
            values = {
                "tenant_id": tenant.tenant_id,
                "id": row_id,
                "at": NOON + timedelta(minutes=number),
                "contact_id": contact_id,
                "instance_id": tenant.instance_id,
                "direction": "incoming" if author == "customer" else "outgoing",
                "author": author,
                "content": cipher.encrypt(said, row_id=row_id),
                "provider": "openai" if author == "agent" else None,
            }
            await transaction.execute(_MESSAGE, values)


@pytest.fixture
async def tenant(store: Store) -> Tenant:
    tenant = await a_tenant(store)
    await a_quick_reply(store, tenant, title="Prices", body="A haircut costs 25 euros.")
    return tenant


async def test_a_price_that_rose_makes_old_answers_fail(store: Store, fresh: Settings, tenant: Tenant):
    await a_conversation(
        store,
        fresh,
        tenant,
        ("customer", "What does a haircut cost?"),
        ("agent", "A haircut costs 25 euros."),
        ("customer", "And a beard?"),
        ("agent", "Which beard do you mean?"),
    )
    before = await replay.replay(fresh, tenant.tenant_id, limit=10)
    async with store.platform_transaction() as transaction:
        await transaction.execute(text("update quick_replies set body = 'A haircut costs 30 euros.'"))

    after = await replay.replay(fresh, tenant.tenant_id, limit=10)

    assert (before.turns, before.passing) == (2, 2)
    # The later answer's conversation holds the price, so it may still be said there.
    assert (after.passing, dict(after.refused)) == (1, {"unknown_number": 1})
    assert after.written()["at_least"] < 0.5 < after.written()["at_most"]


async def test_nothing_stored_is_not_measured(fresh: Settings, tenant: Tenant):
    outcome = await replay.replay(fresh, tenant.tenant_id, limit=10)

    assert outcome.written()["pass_rate"] is None


async def test_another_preset_without_a_key_is_not_measured(store: Store, fresh: Settings, tenant: Tenant):
    await a_conversation(store, fresh, tenant, ("customer", "Hello"), ("agent", "Hello, how may we help?"))

    assert await replay.replay(fresh, tenant.tenant_id, limit=10, preset="quality") is None


async def test_an_unknown_tenant_is_said_so(fresh: Settings, tenant: Tenant):
    with pytest.raises(LookupError, match="no tenant"):
        await replay.replay(fresh, uuid4(), limit=10)


def test_a_database_that_is_away_is_a_dependency(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(replay.configuration, "load", lambda: Settings(_env_file=None, MYCHATFLOW_DATA_DIR=tmp_path))

    assert replay.main(["--tenant", str(uuid4()), "--json"]) == replay.DOWN
    assert "mychatflow doctor" in capsys.readouterr().err


def test_the_answer_is_one_json_object(capsys):
    outcome = replay.Outcome(turns=300, passing=293)

    written = json.loads(json.dumps(outcome.written()))

    assert (round(written["at_least"], 4), round(written["at_most"], 4)) == (0.9526, 0.9887)
