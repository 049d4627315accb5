"""What every route promises: pages, idempotency, limits, problems and a record of every change."""

import asyncio
from datetime import timedelta

from mychatflow.rules.role import Role
from mychatflow.store import audit
from realtime.api import allowance
from tests.factories import a_contact
from tests.realtime.api.conftest import a_shop, bearer
from tests.realtime.api.possessions import a_key, a_message


async def test_pages_hold_everyone_once(api, shop, store, now):
    for number in range(6):
        await a_contact(store, shop.tenant, name=f"n{number}", last_message_at=now - timedelta(hours=number // 3))
    expected = [each["id"] for each in (await api.get("/contacts")).json()["data"]]

    seen, cursor = [], None
    while True:
        page = (await api.get("/contacts", params={"limit": 2} | ({"cursor": cursor} if cursor else {}))).json()
        seen += [each["id"] for each in page["data"]]
        cursor = page["next_cursor"]
        if cursor is None:
            break

    assert seen == expected
    assert len(set(seen)) == 7


async def test_messages_of_one_instant_all_show(api, shop, store):
    expected = {str(await a_message(store, shop.tenant, shop.contact_id, f"m{n}")) for n in range(5)}

    seen, cursor = [], None
    for _ in range(3):
        params = {"limit": 2} | ({"cursor": cursor} if cursor else {})
        page = (await api.get(f"/conversations/{shop.contact_id}/messages", params=params)).json()
        seen += [each["id"] for each in page["data"]]
        cursor = page["next_cursor"]

    assert cursor is None
    assert len(seen) == 5
    assert set(seen) == expected


async def test_only_our_own_cursors_open(api, shop, store, now):
    await a_contact(store, shop.tenant, last_message_at=now - timedelta(days=1))
    cursor = (await api.get("/contacts", params={"limit": 1})).json()["next_cursor"]
    theirs = await a_shop(store)

    assert (await api.get("/contacts", params={"cursor": cursor})).status_code == 200
    for forged in ("", "x", "AAAA", cursor[:-2] + "xx", "é", cursor + "=", "A" * 60):
        answer = await api.get("/contacts", params={"cursor": forged})
        assert answer.status_code == 400, forged
        assert answer.json()["code"] == "invalid_cursor"
    # Neither another list's, nor another tenant's.
    assert (await api.get("/conversations", params={"cursor": cursor})).status_code == 400
    assert (await api.get("/contacts", params={"cursor": cursor}, headers=bearer(theirs.key))).status_code == 400


async def test_limits_have_limits(api):
    for limit, status in ((-1, 422), (0, 422), (1, 200), (500, 200), (10**9, 200), ("x", 422)):
        assert (await api.get("/contacts", params={"limit": limit})).status_code == status, limit


async def test_a_repeated_post_is_done_once(api, shop, rows):
    path = f"/conversations/{shop.contact_id}/reply"
    headers = {"idempotency-key": "order-1"}

    first = await api.post(path, json={"text": "Yes."}, headers=headers)
    again = await api.post(path, json={"text": "Yes."}, headers=headers)
    other = await api.post(path, json={"text": "No."}, headers=headers)

    assert first.status_code == again.status_code == 202
    assert again.json() == first.json()
    assert again.headers["idempotency-replayed"] == "true"
    assert other.status_code == 422
    assert other.json()["code"] == "idempotency_key_reused"
    assert len(rows("select 1 from outbox")) == 1


async def test_a_running_post_is_not_run_beside(api, rows):
    headers = {"idempotency-key": "race"}
    body = {"name": "k", "role": "viewer"}

    answers = await asyncio.gather(*(api.post("/api-keys", json=body, headers=headers) for _ in range(8)))

    assert {answer.status_code for answer in answers} <= {201, 409}
    secrets = {answer.json()["api_key"] for answer in answers if answer.status_code == 201}
    assert len(secrets) == 1
    assert len(rows("select 1 from api_keys where name = 'k'")) == 1
    # The stored answer holds a key: nobody reads it in the table.
    [kept] = rows("select response from idempotency_keys")
    assert secrets.pop().encode() not in bytes(kept["response"])


async def test_a_refused_post_may_be_mended(api):
    headers = {"idempotency-key": "mend"}

    assert (await api.post("/quick-replies", json={"title": "t"}, headers=headers)).status_code == 422
    assert (await api.post("/quick-replies", json={"title": "t", "body": "b"}, headers=headers)).status_code == 201


async def test_keys_of_two_tenants_never_meet(api, store):
    theirs = await a_shop(store)
    body, headers = {"title": "t", "body": "b"}, {"idempotency-key": "same"}

    mine = await api.post("/quick-replies", json=body, headers=headers)
    other = await api.post("/quick-replies", json=body | {"body": "c"}, headers=headers | bearer(theirs.key))

    assert mine.status_code == other.status_code == 201
    assert mine.json()["id"] != other.json()["id"]


async def test_answers_tell_what_is_left(api, monkeypatch):
    answer = await api.get("/tenant", headers={"x-request-id": "abc-1"})

    assert answer.headers["x-request-id"] == "abc-1"
    assert int(answer.headers["ratelimit-limit"]) == allowance.PER_MINUTE
    assert 0 < int(answer.headers["ratelimit-remaining"]) < allowance.PER_MINUTE
    refused = await api.get("/contacts/no-uuid")
    assert refused.status_code == 422
    assert "ratelimit" in refused.headers
    assert refused.headers["x-request-id"]


async def test_a_spent_minute_is_refused(redis_client):
    counted = allowance.Allowance(redis_client, per_minute=2)

    left = [await counted.spend("t") for _ in range(3)]

    assert [each.is_spent for each in left] == [False, False, True]
    assert left[2].headers()["ratelimit-remaining"] == "0"
    assert not (await counted.spend("other")).is_spent


HOSTILE = [
    (b"", 422),
    (b"{", 400),
    (b"[" * 100_000, 400),
    (b'{"title": ' + b"9" * 5_000 + b', "body": "b"}', 400),
    (b'{"title": "a\\u0000b", "body": "b"}', 422),
    (b'{"title": "a\\ud800b", "body": "b"}', 422),
    (b'{"title": "t", "body": "b", "tenant_id": "x"}', 422),
    (b'{"title": "t", "body": "b", "version": 9}', 422),
    (b"\xff\xfe", 400),
    (b'{"title": "t", "body": "' + b"x" * (1 << 20) + b'"}', 413),
    (b"[]", 422),
    (b"null", 422),
]


async def test_hostile_bodies_are_refused_plainly(api):
    for raw, status in HOSTILE:
        answer = await api.post("/quick-replies", content=raw, headers={"content-type": "application/json"})
        assert answer.status_code == status, raw[:40]
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.json()["status"] == status


async def test_a_body_that_is_not_sent_as_json_is_told_so(api):
    body = b'{"title": "t", "body": "b", "language": "en", "tags": []}'

    for media_type in ("application/x-www-form-urlencoded", "text/plain"):
        answer = await api.post("/quick-replies", content=body, headers={"content-type": media_type})
        assert (answer.status_code, answer.json()["code"]) == (422, "invalid")
        assert "Content-Type: application/json" in answer.json()["detail"]
    assert "Content-Type" not in (await api.post("/quick-replies", json=["no object"])).json()["detail"]


async def test_hostile_queries_are_refused_plainly(api, shop):
    assert (await api.get("/contacts", params={"q": "a\x00b"})).status_code == 422
    assert (await api.put("/settings", json={"business_description": "a\x00b"})).status_code == 422
    assert (await api.get("/contacts/%00")).status_code == 422
    for name, words in (("q", "' OR 1=1--"), ("q", "%' or '1'='1"), ("tag", "x'; drop table contacts--")):
        assert (await api.get("/contacts", params={name: words})).json()["data"] == [], words
    # No order can be asked for, so none can be misused.
    assert (await api.get("/contacts", params={"sort": "1;drop", "grade": "Z"})).status_code == 422
    assert (await api.get("/contacts", params={"sort": "1;drop"})).status_code == 422
    assert (await api.get("/nowhere")).status_code == 404
    assert (await api.put("/tenant")).status_code == 405


async def test_a_parameter_that_a_route_does_not_have_is_named(api, shop, rows):
    close = (await api.get("/contacts", params={"limt": 10})).json()
    assert (close["status"], close["code"]) == (422, "invalid")
    assert close["detail"] == "limt: this route has no such parameter; the closest is limit."
    assert close["errors"][0]["where"] == ["query", "limt"]
    far = (await api.get("/appointments/slots", params={"service_id": str(shop.service_id), "xyzzy": ""})).json()
    assert "it takes from, resource_id, service_id, to" in far["detail"]
    none = (await api.post("/quick-replies", params={"tenant_id": "x"}, json={"title": "t", "body": "b"})).json()
    assert "it takes none" in none["detail"]
    assert len(rows("select 1 from quick_replies")) == 1
    # The numbers come from elsewhere, and are asked by names of their own.
    assert "closest is metric" in (await api.get("/analytics/value", params={"metrik": "people"})).json()["detail"]
    assert (await api.get("/analytics/daily", params={"limit": 1})).status_code == 422
    assert (await api.get("/analytics/daily", params={"from": "2026-11-01"})).status_code == 503


async def test_no_route_takes_a_parameter_that_it_does_not_tell(api, shop):
    document = (await api.get(str(api.base_url).replace("/api/v1/", "/api/openapi.json"))).json()
    operations = [
        (method.upper(), path.removeprefix("/api/v1").format(**shop.ids))
        for path, methods in document["paths"].items()
        if path.startswith("/api/v1/")
        for method in methods
    ]
    assert len(operations) > 100

    for method, path in operations:
        answer = await api.request(method, path, params={"no_such": "1"})
        assert (answer.status_code, answer.json()["errors"][0]["where"]) == (422, ["query", "no_such"]), (method, path)


async def test_every_change_is_on_record(api, shop, store, rows):
    contact, conversation = f"/contacts/{shop.contact_id}", f"/conversations/{shop.contact_id}"
    changes = [
        ("PUT", "/settings", {"away_message": "secret words"}, "settings.changed"),
        ("POST", "/quick-replies", {"title": "t", "body": "b"}, "quick_reply.created"),
        ("PATCH", f"/quick-replies/{shop.quick_reply_id}", {"title": "t"}, "quick_reply.changed"),
        ("DELETE", f"/quick-replies/{shop.quick_reply_id}", None, "quick_reply.deleted"),
        ("PATCH", contact, {"name": "n"}, "contact.changed"),
        ("POST", f"{contact}/tags", {"add": ["x"]}, "contact.tagged"),
        ("PUT", f"{contact}/notes", {"notes": "secret words"}, "contact.notes_written"),
        ("POST", f"{contact}/handoff", {"reason": "complaint"}, "contact.handed_off"),
        ("POST", f"{contact}/release", None, "contact.released"),
        ("POST", f"{conversation}/takeover", None, "conversation.taken_over"),
        ("POST", f"{conversation}/handback", None, "conversation.handed_back"),
        ("POST", f"{conversation}/reply", {"text": "secret words"}, "conversation.replied"),
        ("POST", f"{conversation}/resolve", None, "conversation.resolved"),
        ("POST", f"/notifications/{shop.notification_id}/read", None, "notification.read"),
        ("POST", "/instances", {"session": "second"}, "instance.created"),
        ("POST", "/api-keys", {"name": "k"}, "api_key.created"),
    ]

    for method, path, body, _ in changes:
        answer = await api.request(method, path, json=body)
        assert answer.status_code < 300, (path, answer.text)

    recorded = rows("select actor, action, detail from audit_log order by id")
    assert [row["action"] for row in recorded] == [action for *_, action in changes]
    assert {row["actor"] for row in recorded} == {f"key:{shop.key_id}"}
    assert "secret words" not in str(recorded)
    async with store.tenant_transaction(shop.tenant.tenant_id) as transaction:
        assert (await audit.verify(transaction, shop.tenant.tenant_id)).holds
    shown = (await api.get("/audit", params={"limit": 3})).json()
    assert [row["action"] for row in shown["data"]] == [action for *_, action in changes[:-4:-1]]
    following = await api.get("/audit", params={"limit": 1, "cursor": shown["next_cursor"]})
    assert following.json()["data"][0]["action"] == changes[-4][3]


async def test_a_refused_change_leaves_no_record(api, rows):
    assert (await api.patch("/quick-replies/00000000-0000-0000-0000-000000000001", json={})).status_code == 404
    assert rows("select 1 from audit_log") == []


async def test_only_an_owner_ends_a_tenant_and_by_its_name(api, shop, store, rows):
    (tenant,) = rows("select name from tenants where id = %s", shop.tenant.tenant_id)
    _, agent = await a_key(store, shop.tenant, Role.AGENT)
    _, admin = await a_key(store, shop.tenant, Role.ADMIN)

    async def end(words, **headers):
        return await api.request("DELETE", "/tenant", json={"confirm": words}, headers=headers)

    for key in (agent, admin):
        assert (await end(tenant["name"], **bearer(key))).status_code == 403
    refused = rows("select subject from audit_log where action = 'access.refused'")
    assert [row["subject"] for row in refused] == ["delete_tenant"] * 2
    assert (await end("Something else")).status_code == 422
    assert (await api.get("/contacts")).status_code == 200

    assert (await end(tenant["name"])).status_code == 204

    assert (await api.get("/contacts")).status_code == 401
    assert rows("select 1 from tenant_keys where tenant_id = %s", shop.tenant.tenant_id) == []


async def test_who_opened_whose_words_is_on_record_once_an_hour(api, shop, store, rows):
    theirs = await a_shop(store)
    for path in ("messages", "messages"):
        assert (await api.get(f"/conversations/{shop.contact_id}/{path}")).status_code == 200
    assert (await api.get(f"/contacts/{shop.contact_id}/notes")).status_code == 200
    assert (await api.get(f"/conversations/{theirs.contact_id}/messages")).status_code == 404

    found = rows("select actor, action, subject from audit_log order by id")

    assert [(row["action"], row["subject"]) for row in found] == [
        ("conversation.opened", str(shop.contact_id)),
        ("notes.opened", str(shop.contact_id)),
    ]
    assert {row["actor"] for row in found} == {f"key:{shop.key_id}"}
