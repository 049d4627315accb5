"""The identity provider's events over HTTP: signed, in any order, any number of times."""

import base64
import functools
import itertools
import json
import time
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

import httpx
import pytest
from pydantic import SecretStr

from mychatflow.rules.role import Role
from mychatflow.store import api_keys, team
from realtime.webhooks import standard
from tests import asking
from tests.realtime.webhooks.conftest import serving

KEY = bytes(range(24))
SECRET = f"whsec_{base64.b64encode(KEY).decode()}"
NOW_MS = int(time.time() * 1000)
ANN, ORGANIZATION = "user_ann", "org_acme"


def headers(body, *, key=KEY, age=0, prefix="svix"):
    at = int(time.time()) - age
    signature = standard.sign(key, message_id="msg_1", timestamp=at, body=body)
    return {f"{prefix}-id": "msg_1", f"{prefix}-timestamp": str(at), f"{prefix}-signature": f"v1,AAAA {signature}"}


def user(verb="created", *, at=0, email="ann@example.com", name="Ann"):
    data = {"id": ANN, "deleted": True}
    if verb != "deleted":
        address = {"id": "idn_1", "email_address": email, "verification": {"status": "verified"}}
        data = {
            "id": ANN, "first_name": name, "last_name": None, "primary_email_address_id": "idn_1",
            "email_addresses": [address], "updated_at": NOW_MS + at,
        }  # fmt: skip
    return {"type": f"user.{verb}", "data": data}


def organization(verb="created", *, at=0, name="Acme", by=ANN):
    data = {"id": ORGANIZATION, "deleted": True}
    if verb != "deleted":
        data = {"id": ORGANIZATION, "name": name, "created_by": by, "updated_at": NOW_MS + at}
    return {"type": f"organization.{verb}", "data": data}


def membership(verb="created", *, at=0, role="org:member", key="orgmem_1"):
    return {
        "type": f"organizationMembership.{verb}",
        "data": {
            "id": key,
            "role": role,
            "updated_at": NOW_MS + at,
            "organization": {"id": ORGANIZATION, "name": "Acme", "updated_at": NOW_MS},
            "public_user_data": {"user_id": ANN, "identifier": "ann@example.com", "first_name": "Ann"},
        },
    }


@pytest.fixture
async def send(fresh, store, redis_client):
    settings = fresh.model_copy(update={"clerk_webhook_secret": SecretStr(SECRET)})
    async with serving(settings) as (base_url, _), httpx.AsyncClient(base_url=base_url, trust_env=False) as client:

        async def post(event, **changes):
            body = event if isinstance(event, bytes) else json.dumps(event).encode()
            sent = changes.pop("headers", None)
            return await client.post("/api/webhooks/clerk", content=body, headers=sent or headers(body, **changes))

        yield post


TEAM = """
    select tenants.name, team_members.role, team_members.email, users.name as person
    from team_members
    join tenants on tenants.id = team_members.tenant_id and tenants.deleted_at is null
    join users on users.id = team_members.user_id
    where team_members.removed_at is null and tenants.organization_id is not null
"""


@pytest.fixture
def rows(fresh):
    return functools.partial(asking.rows, fresh.role_url("pipeline"))


def test_signatures_agree_with_the_vendors():
    path = Path(__file__).parent / "svix_vector.json"
    vector = json.loads(path.read_text())
    body, sent = vector["body"].encode(), vector["headers"]

    made = standard.sign(
        standard.key_of(vector["secret"]), message_id=sent["svix-id"], timestamp=int(sent["svix-timestamp"]), body=body
    )

    assert made == sent["svix-signature"]


async def test_a_new_person_gets_a_workspace_once(send, rows):
    for _ in range(3):
        assert (await send(user())).status_code == 200

    (tenant,) = rows("select * from tenants")
    (member,) = rows("select * from team_members")
    assert (tenant["clerk_user_id"], tenant["email"]) == (ANN, "ann@example.com")
    assert (member["role"], member["email"]) == ("owner", "ann@example.com")
    assert len(rows("select 1 from settings")) == len(rows("select 1 from tenant_keys")) == 1


@pytest.mark.parametrize("order", list(itertools.permutations(range(5)))[::7])
async def test_events_in_any_order_end_alike(send, rows, order):
    events = [
        user(),
        user("updated", at=2000, name="Anna"),
        organization(),
        membership(),
        membership("updated", at=1000, role="org:admin"),
    ]
    for place in (*order, *order):
        assert (await send(events[place])).status_code == 200

    assert rows(TEAM) == [{"name": "Acme", "role": "owner", "email": "ann@example.com", "person": "Anna"}]


@pytest.mark.parametrize("gone", [user("deleted"), organization("deleted"), membership("deleted", at=10)])
async def test_what_was_deleted_stays_deleted(send, rows, gone):
    told = [user(), organization(), membership()]
    for event in (*told, gone, *told, membership("updated", at=9000, role="org:admin")):
        assert (await send(event)).status_code == 200

    assert rows(TEAM) == []


async def test_what_the_provider_does_to_a_team_is_on_record(send, rows):
    promoted = membership("updated", at=20, role="org:admin")
    told = [user(), organization(by="user_else"), membership(), membership(), promoted, promoted]
    for event in (*told, membership("deleted"), membership(key="orgmem_2", at=30), user("deleted")):
        assert (await send(event)).status_code == 200

    record = rows("select actor, action, subject, detail from audit_log order by id")
    assert {row["actor"] for row in record} == {"identity provider"}
    assert [(row["action"], row["detail"].get("role")) for row in record if row["subject"] == record[0]["subject"]] == [
        ("member.joined", "agent"),
        ("member.changed", "admin"),
        ("member.left", None),
        ("member.joined", "agent"),
        ("member.left", None),
    ]
    # Their own workspace is left too, and no repeated event is told twice.
    assert len(record) == 6


async def test_whom_the_provider_makes_less_keeps_no_greater_key(send, store, rows):
    for event in (user(), organization(by="user_else"), membership(role="org:admin")):
        await send(event)
    [member] = rows("select tenant_id, id from team_members where role = 'admin'")
    async with store.tenant_transaction(member["tenant_id"]) as transaction:
        for role in (Role.ADMIN, Role.AGENT):
            await api_keys.create(
                transaction, member["tenant_id"], name="k", role=role, created_by=UUID(str(member["id"]))
            )

    assert (await send(membership("updated", at=20, role="org:member"))).status_code == 200

    assert rows("select role from api_keys where revoked_at is null") == [{"role": "agent"}]


async def test_a_founder_whose_role_was_changed_here_gets_it_back_by_no_new_name(send, store, rows):
    for event in (user(), organization(), membership(role="org:admin")):
        await send(event)
    [member] = rows(TEAM.replace("select", "select team_members.tenant_id, team_members.id,", 1))
    assert member["role"] == "owner"
    async with store.tenant_transaction(member["tenant_id"]) as transaction:
        await team.set_role(transaction, member["tenant_id"], member["id"], role=Role.VIEWER, at=datetime.now(UTC))

    for event in (user("updated", at=90_000, name="Anna"), organization("updated", at=90_000)):
        assert (await send(event)).status_code == 200

    assert [row["role"] for row in rows(TEAM)] == ["viewer"]


async def test_a_deletion_may_come_first(send, rows):
    for event in (membership("deleted"), membership(), organization(), user()):
        await send(event)
    assert rows(TEAM) == []

    await send(membership(key="orgmem_2", at=5))

    assert [row["role"] for row in rows(TEAM)] == ["agent"]


async def test_who_was_removed_here_stays_out_until_a_later_word(send, store, rows):
    for event in (user(), organization(by="user_else"), membership()):
        await send(event)
    [member] = rows(
        "select team_members.* from team_members join tenants on tenants.id = team_members.tenant_id"
        " where tenants.organization_id is not null"
    )
    async with store.tenant_transaction(member["tenant_id"]) as transaction:
        removed_at = datetime.fromtimestamp(NOW_MS / 1000 + 60, tz=UTC)
        await team.dismiss(transaction, member["tenant_id"], member["id"], at=removed_at)

    # Whatever else happens to them, and the older words once more.
    for event in (user("updated", at=90_000, name="Anna"), organization("updated", at=90_000), membership()):
        assert (await send(event)).status_code == 200
    assert rows(TEAM) == []

    await send(membership("updated", at=120_000, role="org:member"))
    assert [row["role"] for row in rows(TEAM)] == ["agent"]


@pytest.mark.parametrize(
    "changes",
    [
        {"headers": {"x": "y"}},
        {"key": b"another key"},
        {"age": 310},
        {"age": -310},
        {"headers": {"svix-id": "m", "svix-timestamp": "NaN", "svix-signature": "v1,x"}},
        {"headers": {"svix-id": "m", "svix-timestamp": "1767225600", "svix-signature": "v1,"}},
    ],
)
async def test_spoiled_signatures_change_nothing(send, rows, changes):
    assert (await send(user(), **changes)).status_code == 401
    assert rows("select 1 from users") == []


async def test_signed_nonsense_is_refused_plainly(send):
    for body in (b"", b"[]", b"{", b'{"type":"user.created","data":{}}', b"[" * 100_000, b'{"type":1,"data":[]}'):
        assert (await send(body)).status_code == 400, body[:20]
    assert (await send({"type": "session.created", "data": {}})).json() == {"status": "ignored"}


async def test_without_a_secret_nothing_is_taken(fresh, store, redis_client):
    async with serving(fresh) as (base_url, _), httpx.AsyncClient(base_url=base_url, trust_env=False) as client:
        body = json.dumps(user()).encode()
        answer = await client.post("/api/webhooks/clerk", content=body, headers=headers(body))
    assert answer.status_code == 401
