"""What is left of a person who was erased: nothing that names them, in any table."""

from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
from sqlalchemy import text

from mychatflow.store import cipher, erasure, media_vault
from mychatflow.store.erasure import OnLegalHold
from tests.factories import a_contact, a_resource, a_service, a_tenant
from tests.realtime.api.possessions import a_file, a_message, an_appointment, an_episode

NOW = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)


async def a_busy_person(store, tenant, *, wa_id="34600999888@c.us", name="Canary Bird"):
    contact_id = await a_contact(store, tenant, wa_id=wa_id, name=name, lead_grade="B", lead_score=70)
    await a_message(store, tenant, contact_id, "my secret words", at=NOW)
    await a_file(store, tenant, contact_id)
    episode_id = await an_episode(store, tenant, contact_id)
    service, resource_id = await a_service(store, tenant), await a_resource(store, tenant)
    await an_appointment(store, tenant, contact_id, service["id"], resource_id, at=NOW + timedelta(days=400))
    values = {
        "tenant_id": tenant.tenant_id,
        "contact_id": contact_id,
        "instance_id": tenant.instance_id,
        "session": tenant.session,
        "wa_id": wa_id,
        "episode_id": episode_id,
        "at": NOW,
    }
    async with store.platform_transaction() as transaction:
        for statement in ROWS:
            await transaction.execute(text(statement), values)
    return contact_id


ROWS = (
    "update appointments set idempotency_key = concat_ws('\\:', cast(:contact_id as text), 17, 'slot')",
    (
        "insert into inbox (tenant_id, instance_id, session, message_id, lane, kind, chat_id, sent_at, state) values"
        " (:tenant_id, :instance_id, :session, 'false_' || :wa_id || '_A', 'message', 'message', :wa_id, :at, 'done')"
    ),
    (
        "insert into message_status_events (tenant_id, instance_id, message_id, chat_id, ack, occurred_at) values"
        " (:tenant_id, :instance_id, 'A', :wa_id, 1, :at)"
    ),
    "insert into chat_leases (tenant_id, instance_id, chat_id) values (:tenant_id, :instance_id, :wa_id)",
    (
        "insert into dead_letters (source, session, message_id, reason, payload) values"
        " ('inbox', :session, 'false_' || :wa_id || '_B', 'parked', '\\x00')"
    ),
    (
        "insert into contact_identities (tenant_id, contact_id, kind, value) values"
        " (:tenant_id, :contact_id, 'lid', '77777777@lid')"
    ),
    "insert into chat_leases (tenant_id, instance_id, chat_id) values (:tenant_id, :instance_id, '77777777@lid')",
    (
        "insert into consents (tenant_id, contact_id, kind, method, recorded_at) values"
        " (:tenant_id, :contact_id, 'opt_in', 'message', :at)"
    ),
    "insert into notifications (tenant_id, contact_id, kind, title) values (:tenant_id, :contact_id, 'handoff', 't')",
    (
        "insert into outbox (tenant_id, instance_id, contact_id, chat_id, interaction_id, interaction_at, kind,"
        " idempotency_key, body) values (:tenant_id, :instance_id, :contact_id, :wa_id, gen_random_uuid(), :at,"
        " 'reply', 'k', '\\x00')"
    ),
    (
        "insert into lead_score_events (tenant_id, contact_id, as_of, cause, message_points, speed_points,"
        " question_points, intent_points, base, decay, score, grade, rules_version, extractor_version) values"
        " (:tenant_id, :contact_id, :at, 'inbound', 1, 1, 1, 1, 4, 0, 4, 'F', '1', '1')"
    ),
    (
        "insert into analytics_events (tenant_id, event_id, occurred_at, event_type, contact_id, episode_id,"
        " properties) values (:tenant_id, gen_random_uuid(), :at, 'message_received', :contact_id, :episode_id,"
        """ '{"message_id"\\: "A", "length"\\: 3}')"""
    ),
    (
        "insert into llm_attempts (tenant_id, turn_id, contact_id, role, provider, model, outcome, started_at,"
        " latency_ms, price_version) values (:tenant_id, gen_random_uuid(), :contact_id, 'primary', 'openai', 'm',"
        " 'ok', :at, 1, '1')"
    ),
)


async def forget(store, tenant, contact_id, *, at=NOW):
    settings = store._settings
    async with store.platform_transaction() as transaction:
        return await erasure.erase(
            transaction, media_vault.opened(settings), tenant.tenant_id, contact_id, master=settings.master, at=at
        )


async def everything(store):
    """Every row of every table as words."""
    async with store.platform_transaction() as transaction:
        tables = (
            await transaction.execute(
                text(
                    "select relname from pg_class where relkind in ('r', 'p') and not relispartition"
                    " and relnamespace = 'public'::regnamespace and has_table_privilege(oid, 'select')"
                )
            )
        ).scalars()
        return {
            name: [
                str(row) for row in (await transaction.execute(text(f"select to_jsonb({name}) from {name}"))).scalars()
            ]
            for name in list(tables)
        }


async def test_no_table_names_an_erased_person(store):
    tenant = await a_tenant(store)
    contact_id = await a_busy_person(store, tenant)
    twin_id = await a_contact(store, tenant, wa_id="34600999777@c.us", name="Canary Twin", merged_into_id=contact_id)

    erased = await forget(store, tenant, contact_id)

    left = await everything(store)
    for canary in ("Canary", "34600999888", "34600999777", "77777777", str(twin_id)):
        assert not [name for name, rows in left.items() if any(canary in row for row in rows)], canary
    # The list of the erased knows the row's id and a keyed hash, and nothing else does.
    assert {name for name, rows in left.items() if any(str(contact_id) in row for row in rows)} == {"erase_list"}
    assert erased.media_files == 1
    assert all(table.after == 0 for table in erased.tables.values())
    assert erased.tables["interactions"].before == 2
    assert erased.tables["dead_letters"].before == 1
    assert erased.tables["analytics_events"].anonymised == 1


async def test_totals_keep_an_erased_persons_share(store):
    tenant = await a_tenant(store)
    contact_id = await a_busy_person(store, tenant)
    kept = ("episodes", "lead_score_events", "analytics_events", "llm_attempts", "appointments")
    before = {name: len(rows) for name, rows in (await everything(store)).items() if name in kept}

    await forget(store, tenant, contact_id)

    after = await everything(store)
    assert {name: len(after[name]) for name in kept} == before
    assert "'message_id': 'A'" not in after["analytics_events"][0]
    assert "'status': 'cancelled'" in after["appointments"][0]


async def test_neighbours_lose_nothing(store):
    tenant, other = await a_tenant(store), await a_tenant(store)
    contact_id = await a_busy_person(store, tenant)
    await a_busy_person(store, other, name="Somebody Else")
    neighbour = await a_contact(store, tenant, wa_id="34600999889@c.us", name="Next Door")
    await a_message(store, tenant, neighbour, "hello")
    theirs = _of(other, await everything(store))

    await forget(store, tenant, contact_id)

    left = await everything(store)
    assert _of(other, left) == theirs
    assert any("Next Door" in row for row in left["contacts"])
    assert len([row for row in left["interactions"] if str(neighbour) in row]) == 1


async def test_an_erasure_of_nobody_changes_nothing(store):
    tenant, other = await a_tenant(store), await a_tenant(store)
    theirs = await a_contact(store, other)

    assert await forget(store, tenant, uuid4()) is None
    assert await forget(store, tenant, theirs) is None


async def test_a_legal_hold_stops_an_erasure(store):
    tenant = await a_tenant(store)
    contact_id = await a_contact(store, tenant)
    async with store.platform_transaction() as transaction:
        await transaction.execute(text("update tenants set is_on_legal_hold = true"))

    with pytest.raises(OnLegalHold):
        await forget(store, tenant, contact_id)


async def test_an_erased_person_is_known_by_a_keyed_hash(store):
    tenant = await a_tenant(store)
    contact_id = await a_contact(store, tenant, wa_id="34600999888@c.us")

    await forget(store, tenant, contact_id)

    async with store.platform_transaction() as transaction:
        (listed,) = await erasure.listed(transaction)
    assert listed["wa_hash"] == cipher.wa_hash(store._settings.master, tenant.tenant_id, "34600999888@c.us")


def _of(tenant, tables):
    return {name: [row for row in rows if str(tenant.tenant_id) in row] for name, rows in tables.items()}
