"""A developer's first five minutes: teach, list, read, answer, set."""

from datetime import timedelta

from tests.factories import a_contact
from tests.realtime.api.possessions import a_message


async def test_a_taught_text_reaches_the_agent(api, shop, rows):
    before = rows("select knowledge_version from settings where tenant_id = %s", shop.tenant.tenant_id)[0]

    made = await api.post("/quick-replies", json={"title": "Hours", "body": "9 to 18.", "tags": ["a", "a"]})

    assert made.status_code == 201
    assert made.json()["title"] == "Hours"
    assert made.json()["tags"] == ["a"]
    listed = (await api.get("/quick-replies")).json()
    assert [each["title"] for each in listed["data"]] == ["Hours", "Price"]
    assert listed["next_cursor"] is None
    after = rows("select knowledge_version from settings where tenant_id = %s", shop.tenant.tenant_id)[0]
    assert after["knowledge_version"] == before["knowledge_version"] + 1


async def test_a_text_changes_and_goes(api, shop):
    path = f"/quick-replies/{shop.quick_reply_id}"

    changed = await api.patch(path, json={"body": "25 €."})
    replaced = await api.put(path, json={"title": "Prices", "body": "30 €.", "language": "es"})
    gone = await api.delete(path)

    assert changed.json()["title"] == "Price"
    assert changed.json()["body"] == "25 €."
    assert replaced.json()["language"] == "es"
    assert replaced.json()["version"] == 3
    assert gone.status_code == 204
    assert (await api.get(path)).status_code == 404
    assert (await api.delete(path)).status_code == 404


async def test_contacts_are_found_by_filter(api, shop, store, now):
    other = await a_contact(
        store, shop.tenant, name="50% Bob", phone="+34611110000", last_message_at=now - timedelta(days=1)
    )

    async def ids(**query):
        return [each["id"] for each in (await api.get("/contacts", params=query)).json()["data"]]

    assert await ids() == [str(shop.contact_id), str(other)]
    assert await ids(grade="A") == [str(shop.contact_id)]
    assert await ids(tag="vip") == [str(shop.contact_id)]
    assert await ids(q="bob") == [str(other)]
    # A wildcard of SQL is a letter like any other.
    assert await ids(q="%") == [str(other)]
    # Its digits alone would be part of Bob's number.
    assert await ids(q="' or 1=1--") == []
    assert await ids(q="611 110") == [str(other)]
    assert (await api.get("/contacts", params={"grade": "Z"})).status_code == 422


async def test_a_conversation_is_read_opened(api, shop, store, now):
    await a_message(store, shop.tenant, shop.contact_id, "How much?", at=now - timedelta(minutes=2))
    await a_message(store, shop.tenant, shop.contact_id, "¿Hola?", trace='{"steps": {"language": "es"}}')

    found = (await api.get(f"/conversations/{shop.contact_id}/messages")).json()

    assert [each["text"] for each in found["data"]] == ["¿Hola?", "How much?"]
    assert found["data"][0]["trace"] == {"steps": {"language": "es"}}
    assert found["data"][0]["direction"] == "incoming"


async def test_an_answer_is_queued_and_pauses_the_agent(api, shop, store, rows, now):
    answer = await api.post(f"/conversations/{shop.contact_id}/reply", json={"text": "I look it up."})

    assert answer.status_code == 202
    [queued] = rows("select * from outbox")
    assert queued["kind"] == "human"
    assert queued["state"] == "pending"
    assert queued["interaction_id"] == rows("select id from interactions")[0]["id"]
    assert str(queued["interaction_id"]) == answer.json()["id"]
    assert queued["waits_since"] is not None
    [contact] = rows("select owner, paused_until from contacts")
    assert contact["owner"] == "human"
    assert contact["paused_until"] > now + timedelta(minutes=100)
    [lease] = rows("select due_at <= now() as is_due from chat_leases")
    assert lease["is_due"]
    async with store.tenant_transaction(shop.tenant.tenant_id) as transaction:
        cipher = await store.key_ring.for_tenant(shop.tenant.tenant_id, transaction)
    assert cipher.decrypt(bytes(queued["body"]), row_id=queued["id"]) == "I look it up."
    [message] = (await api.get(f"/conversations/{shop.contact_id}/messages")).json()["data"]
    assert (message["text"], message["author"], message["status"]) == ("I look it up.", "human", "pending")


async def test_any_subset_of_settings_changes(api):
    before = (await api.get("/settings")).json()

    wanted = {"debounce_ms": 700, "handoff_keywords": ["boss"], "reply_saves_minutes": 3.5}
    changed = await api.put("/settings", json=wanted)

    assert changed.status_code == 200
    assert changed.json() == before | wanted
    assert (await api.get("/settings")).json() == changed.json()


async def test_refused_settings_change_nothing(api):
    before = (await api.get("/settings")).json()

    for body, field in (
        ({"debounce_ms": 600, "nonsense": 1}, "nonsense"),
        ({"debounce_ms": 10_001}, "debounce_ms"),
        ({"debounce_ms": 600, "default_language": "de"}, "default_language"),
        ({"timezone": "Mars/X"}, "timezone"),
        ({"handoff_keywords": [" "]}, "handoff_keywords"),
        ({"reply_saves_minutes": 121}, "reply_saves_minutes"),
        ({"tenant_id": "x", "credits": 1e9, "role": "owner"}, "credits"),
    ):
        refused = await api.put("/settings", json=body)
        assert refused.status_code == 422, body
        assert refused.headers["content-type"] == "application/problem+json"
        assert any(field in error["where"] for error in refused.json()["errors"])

    assert (await api.get("/settings")).json() == before
