"""People come by e-mail, change roles and go; an owner always stays."""

import asyncio
import json
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
from sqlalchemy import text

from mychatflow.rules.role import Role
from mychatflow.store import audit, members, team
from realtime.accounts.due_mail import DueMail
from realtime.accounts.invitations import INVITATIONS
from realtime.channels.resend import Resend
from realtime.engine.pool import engine_pool
from tests.realtime.api.conftest import bearer
from tests.realtime.api.possessions import a_key, a_member


@pytest.fixture
async def mail(fresh, tmp_path):
    """Sends what is due; the e-mails that went."""
    settings = fresh.model_copy(update={"data_dir": tmp_path})
    pool = engine_pool(fresh, name="test", size=1)
    await pool.open()
    async with Resend(settings) as resend:

        async def send():
            await DueMail(INVITATIONS, pool, resend, dashboards_url="https://app.example").send_due()
            return [json.loads(path.read_text()) for path in sorted((tmp_path / "outbox").glob("*.json"))]

        yield send
    await pool.close()


async def test_an_invited_person_is_told_once_and_is_in_when_they_come(api, shop, store, mail):
    invited = await api.post("/members", json={"email": "new@example.test", "role": "agent"})

    (email,) = await mail()
    assert len(await mail()) == 1
    assert invited.status_code == 201
    assert (invited.json()["role"], invited.json()["joined_at"]) == ("agent", None)
    assert email["to"] == ["new@example.test"]
    assert "https://app.example" in email["text"]
    async with store.platform_transaction() as transaction:
        user_id = uuid4()
        await transaction.execute(
            text("insert into users (id, clerk_user_id, email) values (:id, 'user_new', 'new@example.test')"),
            {"id": user_id},
        )
        assert await members.of_subject(transaction, "user_new") == []
        await team.welcome(transaction, user_id=user_id, email="new@example.test", at=datetime.now(UTC))
        (membership,) = await members.of_subject(transaction, "user_new")
    assert (membership.tenant_id, membership.role) == (shop.tenant.tenant_id, Role.AGENT)
    assert (await api.post("/members", json={"email": "New@example.test"})).json()["code"] == "already_in"


async def test_nobody_is_flooded_with_invitations(api, store, rows, mail):
    async def is_to_be_written_to():
        again = await api.post("/members", json={"email": "victim@example.test"})
        [due] = rows("select invite_email_due_at from team_members where email = 'victim@example.test'")
        await mail()
        assert (await api.delete(f"/members/{again.json()['id']}")).status_code == 204
        return due["invite_email_due_at"] is not None

    assert [await is_to_be_written_to() for _ in range(3)] == [True, False, False]
    async with store.platform_transaction() as transaction:
        await transaction.execute(text("update team_members set invited_at = now() - interval '61 minutes'"))
    assert await is_to_be_written_to()


async def test_a_day_has_an_end_of_invited_strangers(api, shop, store):
    async with store.platform_transaction() as transaction:
        await transaction.execute(text("update tenants set plan = 'starter'"))

    answers = []
    for number in range(21):
        answers.append(await api.post("/members", json={"email": f"{number}@example.test"}))
        if answers[-1].status_code == 201:
            await api.delete(f"/members/{answers[-1].json()['id']}")

    assert [answer.status_code for answer in answers] == [201] * 20 + [409]
    assert answers[-1].json()["code"] == "invited_enough"


async def test_nobody_gives_more_than_they_hold(api, shop, store):
    _, admin = await a_key(store, shop.tenant, Role.ADMIN)
    owner_id = await a_member(store, shop.tenant, Role.OWNER)
    await api.post("/members", json={"email": "next@example.test", "role": "owner"})

    for call in (
        api.post("/members", json={"email": "x@example.test", "role": "owner"}, headers=bearer(admin)),
        api.post("/members", json={"email": "next@example.test", "role": "viewer"}, headers=bearer(admin)),
        api.patch(f"/members/{shop.member_id}", json={"role": "owner"}, headers=bearer(admin)),
        api.patch(f"/members/{owner_id}", json={"role": "viewer"}, headers=bearer(admin)),
        api.delete(f"/members/{owner_id}", headers=bearer(admin)),
    ):
        assert (await call).json()["code"] == "more_than_held"
    changed = await api.patch(f"/members/{shop.member_id}", json={"role": "admin", "is_on_duty": False})
    assert (changed.json()["role"], changed.json()["is_on_duty"]) == ("admin", False)


async def test_the_last_owner_cannot_go_even_if_two_go_at_once(api, shop, store, rows):
    owners = [await a_member(store, shop.tenant, Role.OWNER) for _ in range(2)]

    answers = await asyncio.gather(*(api.delete(f"/members/{owner_id}") for owner_id in owners))

    assert sorted(answer.status_code for answer in answers) == [204, 409]
    left = rows("select id from team_members where role = 'owner' and removed_at is null")
    assert len(left) == 1
    demoted = await api.patch(f"/members/{left[0]['id']}", json={"role": "admin"})
    assert (demoted.status_code, demoted.json()["code"]) == (409, "last_owner")


async def test_who_is_removed_takes_no_key_along(api, shop, store):
    _, key = await a_key(store, shop.tenant, Role.VIEWER, created_by=shop.member_id)
    assert (await api.get("/contacts", headers=bearer(key))).status_code == 200

    assert (await api.delete(f"/members/{shop.member_id}")).status_code == 204

    assert (await api.get("/contacts", headers=bearer(key))).status_code == 401
    assert (await api.delete(f"/members/{shop.member_id}")).status_code == 404


async def test_a_key_made_with_a_key_goes_with_who_made_the_first(api, shop, store):
    admin_id = await a_member(store, shop.tenant, Role.ADMIN)
    _, first = await a_key(store, shop.tenant, Role.ADMIN, created_by=admin_id)
    second = await api.post("/api-keys", json={"name": "second", "role": "admin"}, headers=bearer(first))
    third = await api.post("/api-keys", json={"name": "third"}, headers=bearer(second.json()["api_key"]))

    assert (await api.delete(f"/members/{admin_id}")).status_code == 204

    for made in (second, third):
        assert (await api.get("/contacts", headers=bearer(made.json()["api_key"]))).status_code == 401
    assert (await api.get("/contacts")).status_code == 200


async def test_a_revoked_key_takes_along_what_was_made_with_it(api, shop, store):
    first_id, first = await a_key(store, shop.tenant, Role.ADMIN)
    _, other = await a_key(store, shop.tenant, Role.ADMIN)
    second = await api.post("/api-keys", json={"name": "second", "role": "admin"}, headers=bearer(first))
    third = await api.post("/api-keys", json={"name": "third"}, headers=bearer(second.json()["api_key"]))
    assert second.json()["made_with"] == str(first_id)
    assert third.json()["made_with"] == second.json()["id"]

    assert (await api.delete(f"/api-keys/{first_id}", headers=bearer(other))).status_code == 204

    for key in (first, second.json()["api_key"], third.json()["api_key"]):
        assert (await api.get("/contacts", headers=bearer(key))).status_code == 401
    assert (await api.get("/contacts", headers=bearer(other))).status_code == 200
    async with store.audit_transaction() as transaction:
        rows = await audit.page(transaction, shop.tenant.tenant_id, before_id=None, limit=9)
    assert [row["detail"] for row in rows if row["action"] == "api_key.revoked"] == [{"keys": 3}]


async def test_a_key_made_with_a_key_lives_no_longer(api, shop, store):
    ends_at = datetime.now(UTC) + timedelta(hours=1)
    _, first = await a_key(store, shop.tenant, Role.ADMIN, expires_at=ends_at)
    for wanted in (None, ends_at + timedelta(days=1), ends_at - timedelta(minutes=1)):
        asked = {"name": "second", "expires_at": wanted and wanted.isoformat()}
        made = await api.post("/api-keys", json=asked, headers=bearer(first))
        assert datetime.fromisoformat(made.json()["expires_at"]) == min(ends_at, wanted or ends_at)


async def test_a_lesser_role_keeps_no_key_of_a_greater_one(api, shop, store):
    admin_id = await a_member(store, shop.tenant, Role.ADMIN)
    held = {
        role: (await a_key(store, shop.tenant, role, created_by=admin_id))[1]
        for role in (Role.ADMIN, Role.AGENT, Role.VIEWER)
    }

    assert (await api.patch(f"/members/{admin_id}", json={"role": "agent"})).status_code == 200

    answers = {role: (await api.get("/contacts", headers=bearer(key))).status_code for role, key in held.items()}
    assert answers == {Role.ADMIN: 401, Role.AGENT: 200, Role.VIEWER: 200}


async def test_a_plans_users_are_counted(api, shop, store):
    async with store.platform_transaction() as transaction:
        await transaction.execute(text("update tenants set plan = 'free'"))

    answer = await api.post("/members", json={"email": "second@example.test"})

    assert (answer.status_code, answer.json()["code"]) == (409, "plan_limit")


@pytest.mark.parametrize("email", ["", "a", "a@b@c", "a b@c.example", "<a@b.example>", "a@b.example,c@d.example"])
async def test_an_address_is_one_address(api, email):
    assert (await api.post("/members", json={"email": email})).status_code == 422


async def test_one_address_is_one_invitation_however_it_is_written(api, rows):
    first = await api.post("/members", json={"email": "New@Example.test", "role": "agent"})
    again = await api.post("/members", json={"email": "new@example.test", "role": "viewer"})

    assert (first.status_code, again.status_code) == (201, 201)
    assert first.json()["id"] == again.json()["id"]
    found = rows("select email, role from team_members where lower(email) = 'new@example.test'")
    assert found == [{"email": "New@Example.test", "role": "viewer"}]
