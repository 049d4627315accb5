"""New tenants and numbers, the audit chain, dead letters and traces."""

from datetime import UTC, datetime, timedelta

import psycopg
import pytest
from sqlalchemy import text
from sqlalchemy.exc import ProgrammingError

from mychatflow.rules.plan import Plan
from mychatflow.rules.role import Role
from mychatflow.store import arrivals, audit, dead_letters, directory, instances, members, team, tenants, traces
from mychatflow.store.cipher import platform_cipher
from mychatflow.store.instances import SessionTaken, UnknownTenant
from tests.factories import a_contact, a_tenant

NOW = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)


async def test_a_new_tenant_can_work_at_once(store):
    async with store.platform_transaction() as transaction:
        created = await tenants.create(
            transaction, store.key_ring, name="Shop", email="o@shop.example", plan=Plan.PRO, timezone="Asia/Kolkata"
        )

    async with store.tenant_transaction(created.tenant_id) as transaction:
        cipher = await store.key_ring.for_tenant(created.tenant_id, transaction)
        found = await tenants.by_id(transaction, created.tenant_id)
        roles = (await transaction.execute(text("select role from team_members"))).scalars().all()
    assert cipher.decrypt(cipher.encrypt("hello", row_id=1), row_id=1) == "hello"
    assert (found.plan, found.timezone, roles) == (Plan.PRO, "Asia/Kolkata", ["owner"])


async def invited(store, tenant, email, *, at=NOW):
    async with store.tenant_transaction(tenant.tenant_id) as transaction:
        return await members.invite(transaction, tenant.tenant_id, email=email, role=Role.AGENT, at=at)


async def teams_of(store, subject):
    async with store.platform_transaction() as transaction:
        return {(found.tenant_id, found.role) for found in await members.of_subject(transaction, subject)}


async def come(store, subject="ann", address="ann@shop.example"):
    return await arrivals.welcome(store, subject, address=address, name="Ann", at=NOW)


async def test_an_invited_person_is_let_in_once(store):
    tenant = await a_tenant(store)
    member_id = await invited(store, tenant, "Ann@Shop.example")

    assert [await come(store), await come(store)] == [1, 0]

    assert await teams_of(store, "ann") == {(tenant.tenant_id, Role.AGENT)}
    async with store.tenant_transaction(tenant.tenant_id) as transaction:
        [row] = await audit.page(transaction, tenant.tenant_id, before_id=None, limit=9)
    assert (row["action"], row["actor"], row["subject"]) == ("member.joined", f"member:{member_id}", str(member_id))


async def test_the_owner_an_operator_named_comes_in_later(store):
    async with store.platform_transaction() as transaction:
        # Somebody of that address who never showed that it is theirs.
        await directory.tell_user(transaction, "impostor", email="ann@shop.example", name=None, at=NOW)
        created = await tenants.create(transaction, store.key_ring, name="Shop", email="ann@shop.example")

    assert await teams_of(store, "impostor") == set()
    assert await come(store) == 1
    assert await teams_of(store, "ann") == {(created.tenant_id, Role.OWNER)}
    assert await come(store, "impostor") == 0


async def test_nobody_else_is_let_in(store):
    tenant = await a_tenant(store)
    await invited(store, tenant, "late@shop.example", at=NOW - timedelta(days=7))
    removed = await invited(store, tenant, "removed@shop.example")
    await invited(store, tenant, "gone@shop.example")
    async with store.platform_transaction() as transaction:
        await team.dismiss(transaction, tenant.tenant_id, removed, at=NOW)
        await directory.user_is_gone(transaction, "gone", at=NOW)

    for name in ("late", "removed", "gone", "stranger"):
        assert await come(store, name, f"{name}@shop.example") == 0
        assert await teams_of(store, name) == set()
    async with store.platform_transaction() as transaction:
        known = (await transaction.execute(text("select clerk_user_id from users"))).scalars().all()
    assert known == ["gone"]


async def test_a_colleague_is_not_let_in_twice(store):
    tenant = await a_tenant(store)
    await invited(store, tenant, "ann@shop.example")
    await come(store)

    await invited(store, tenant, "ann@home.example")

    assert await come(store, address="ann@home.example") == 0
    assert len(await teams_of(store, "ann")) == 1


async def test_a_session_name_is_taken_once(store):
    mine, theirs = await a_tenant(store), await a_tenant(store)

    async with store.platform_transaction() as transaction:
        cipher = await store.key_ring.for_tenant(theirs.tenant_id, transaction)
        with pytest.raises(SessionTaken):
            await instances.create(transaction, cipher, session=mine.session, engine="NOWEB")


async def test_a_numbers_secret_is_sealed_to_it(store):
    tenant = await a_tenant(store)

    async with store.platform_transaction() as transaction:
        cipher = await store.key_ring.for_tenant(tenant.tenant_id, transaction)
        instance_id = await instances.create(
            transaction, cipher, session="second", engine="GOWS", webhook_secret="hmac key"
        )
        row = await transaction.execute(
            text("select webhook_secret from instances where id = :id"), {"id": instance_id}
        )

    assert cipher.decrypt(row.scalar_one(), row_id=instance_id) == "hmac key"


async def test_an_unknown_tenant_gets_no_number(store):
    nobody = platform_cipher(b"k" * 32)

    with pytest.raises(UnknownTenant):
        async with store.platform_transaction() as transaction:
            await instances.create(transaction, nobody, session="lost", engine="NOWEB")


async def record(store, tenant, action):
    async with store.audit_transaction() as transaction:
        await audit.record(transaction, tenant.tenant_id, actor="test", action=action, detail={"n": 1}, at=NOW)


async def test_an_untouched_audit_chain_holds(store):
    tenant, other = await a_tenant(store), await a_tenant(store)
    for action in ("one", "two", "three"):
        await record(store, tenant, action)
        await record(store, other, action)

    async with store.audit_transaction() as transaction:
        chain = await audit.verify(transaction, tenant.tenant_id)
        assert (chain.holds, chain.row_count) == (True, 3)
        assert (await audit.verify(transaction, tenant.tenant_id, anchor=chain.head)).holds


async def test_a_changed_audit_row_is_found(store, postgres, fresh):
    tenant = await a_tenant(store)
    for action in ("one", "two", "three"):
        await record(store, tenant, action)

    async with store.audit_transaction() as transaction:
        ids = (await transaction.execute(text("select id from audit_log order by id"))).scalars().all()
        head = (await audit.verify(transaction, tenant.tenant_id)).head
    for damage, broken_at in (
        (f"update audit_log set action = 'other' where id = {ids[1]}", ids[1]),
        (f"delete from audit_log where id = {ids[1]}", ids[2]),
        (f"delete from audit_log where id = {ids[2]}", None),
    ):
        await as_superuser(postgres, fresh, damage)

        async with store.audit_transaction() as transaction:
            chain = await audit.verify(transaction, tenant.tenant_id, anchor=head)
        assert (chain.holds, chain.broken_at) == (False, broken_at), damage


async def test_the_audit_writer_cannot_change_the_past(store):
    tenant = await a_tenant(store)
    await record(store, tenant, "one")

    for statement in ("update audit_log set action = 'x'", "delete from audit_log", "truncate audit_log"):
        with pytest.raises(ProgrammingError, match="permission denied"):
            async with store.audit_transaction() as transaction:
                await transaction.execute(text(statement))


async def as_superuser(postgres, fresh, statement: str) -> None:
    with psycopg.connect(postgres.admin_url(fresh.database_name), autocommit=True) as connection:
        connection.execute(statement)


async def a_parked_message(store, tenant) -> int:
    async with store.platform_transaction() as transaction:
        found = await transaction.execute(
            text(
                "insert into inbox (tenant_id, instance_id, session, message_id, lane, kind, chat_id, sent_at, state,"
                " attempts) values (:tenant_id, :instance_id, :session, 'false_1@c.us_ABC', 'message', 'message',"
                " '1@c.us', now(), 'parked', 9) returning seq"
            ),
            {"tenant_id": tenant.tenant_id, "instance_id": tenant.instance_id, "session": tenant.session},
        )
        return int(found.scalar_one())


async def test_a_parked_message_is_listed_and_reopened(store):
    seq = await a_parked_message(store, await a_tenant(store))

    async with store.platform_transaction() as transaction:
        listed = await dead_letters.waiting(transaction)
        assert await dead_letters.reopen(transaction, seq, at=NOW)
        assert not await dead_letters.reopen(transaction, seq, at=NOW)
        due = (await transaction.execute(text("select due_at from chat_leases"))).scalar_one()

    assert [letter.letter_id for letter in listed] == [f"inbox:{seq}"]
    assert due == NOW


async def test_a_trace_joins_the_gateways_id_and_ours(store):
    tenant = await a_tenant(store)
    await a_parked_message(store, tenant)
    contact_id = await a_contact(store, tenant, wa_id="1@c.us")
    owner = {"tenant_id": tenant.tenant_id, "instance_id": tenant.instance_id, "contact_id": contact_id}
    async with store.platform_transaction() as transaction:
        await transaction.execute(
            text(
                "insert into interactions (tenant_id, occurred_at, contact_id, instance_id, message_id, direction,"
                " author, status, trace) values (:tenant_id, now(), :contact_id, :instance_id, 'ABC', 'incoming',"
                ' \'customer\', \'received\', \'[{"step": "send", "decision": "queued", "why": "NOTICE"}]\')'
            ),
            owner,
        )
        # Not every answer hangs on a row of the inbox: that the team takes over is told by a notice.
        await transaction.execute(
            text(
                "insert into outbox (tenant_id, instance_id, contact_id, interaction_id, interaction_at, chat_id, kind,"
                " idempotency_key, body, state, wa_message_id) values (:tenant_id, :instance_id, :contact_id,"
                " gen_random_uuid(), now(), '1@c.us', 'notice', 'n', '', 'sent', 'NOTICE')"
            ),
            owner,
        )
        for message_id in ("ABC", "false_1@c.us_ABC"):
            found = await traces.of_message(transaction, message_id)
            assert [len(found[name]) for name in ("inbox", "interactions", "outbox")] == [1, 1, 1]
            assert {row["tenant_id"] for rows in found.values() for row in rows} == {tenant.tenant_id}
