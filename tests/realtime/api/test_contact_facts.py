"""What a tenant knows of its contacts: attributes with types, saved filters, notes with authors, consents."""

import json

import pytest
from sqlalchemy import text

from tests.factories import a_campaign, a_contact, a_sequence


@pytest.fixture
async def attributes(api):
    for key, kind, choices in (
        ("visits", "number", []), ("size", "choice", ["S", "M"]), ("since", "date", []), ("vip", "boolean", []),
        ("city", "text", []),
    ):  # fmt: skip
        made = await api.post(
            "/contact-attributes", json={"key": key, "label": key.title(), "type": kind, "choices": choices}
        )
        assert made.status_code == 201, made.text


async def test_values_are_kept_by_type_and_null_takes_one_away(api, shop, attributes):
    path = f"/contacts/{shop.contact_id}"
    given = {"visits": 3, "size": "M", "since": "2026-02-01", "vip": False, "city": "Madrid"}

    changed = await api.patch(path, json={"attributes": given})

    assert changed.status_code == 200
    assert changed.json()["attributes"] == given
    assert changed.json()["name"] == "Ann"
    less = await api.patch(path, json={"attributes": {"size": None}})
    assert less.json()["attributes"] == {key: value for key, value in given.items() if key != "size"}


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        ("visits", "three", "attributes.visits: must be a number"),
        ("visits", True, "must be a number"),
        ("size", "XL", "attributes.size: must be one of S, M"),
        ("since", "1.2.2026", "must be a date like 2026-12-01"),
        ("vip", "yes", "must be true or false"),
        ("city", "", "must be text of 1 to 500"),
        ("shoe", 42, "attributes.shoe: there is no such attribute; define it first"),
    ],
)
async def test_a_value_that_does_not_fit_is_named(api, shop, attributes, key, value, said):
    refused = await api.patch(f"/contacts/{shop.contact_id}", json={"attributes": {key: value}})

    assert refused.status_code == 422
    assert said in refused.json()["detail"]
    assert refused.json()["errors"][0]["where"] == ["body", "attributes", key]


async def test_a_forgotten_attribute_leaves_no_value(api, shop, attributes, rows):
    await api.patch(f"/contacts/{shop.contact_id}", json={"attributes": {"city": "Madrid", "visits": 1}})

    assert (await api.delete("/contact-attributes/city")).status_code == 204

    assert rows("select attributes from contacts")[0]["attributes"] == {"visits": 1}
    assert (await api.delete("/contact-attributes/city")).status_code == 404
    taken = await api.post("/contact-attributes", json={"key": "visits", "label": "v", "type": "text"})
    assert (taken.status_code, taken.json()["code"]) == (409, "taken")


async def test_an_attribute_in_use_is_forgotten_on_purpose_alone(api, shop, store, attributes, rows):
    asks = json.dumps({"attributes": [{"key": "city", "value": "Madrid"}]})
    tenant = shop.tenant
    by_text = await a_campaign(store, tenant, name="A", template="In {{ attributes.city | town }}")
    by_audience = await a_campaign(store, tenant, name="B", audience=asks)
    await a_campaign(store, tenant, name="C", template="{{attributes.visits|0}} attributes.city")
    over = await a_campaign(store, tenant, name="D", audience=asks)
    async with store.tenant_transaction(tenant.tenant_id) as transaction:
        await transaction.execute(text("update campaigns set state = 'finished' where id = :id"), {"id": over})
    steps = await a_sequence(store, tenant, "Hello {attributes.city}", name="S")
    segment = await api.post("/segments", json={"name": "Madrid", "filter": json.loads(asks)})
    await api.patch(f"/contacts/{shop.contact_id}", json={"attributes": {"city": "Madrid"}})

    refused = await api.delete("/contact-attributes/city")

    assert (refused.status_code, refused.json()["code"]) == (409, "in_use")
    assert refused.json()["uses"] == {
        "campaigns": [{"id": str(by_text), "name": "A"}, {"id": str(by_audience), "name": "B"}],
        "follow_up_sequences": [{"id": str(steps), "name": "S"}],
        "segments": [{"id": segment.json()["id"], "name": "Madrid"}],
    }
    assert rows("select attributes from contacts")[0]["attributes"] == {"city": "Madrid"}
    assert (await api.delete("/contact-attributes/city", params={"force": True})).status_code == 204
    assert rows("select attributes from contacts")[0]["attributes"] == {}
    [record] = rows("select detail from audit_log where action = 'contact_attribute.forgotten'")
    assert record["detail"]["used_by"]["follow_up_sequences"] == [str(steps)]


async def test_a_filter_asks_for_what_there_is(api, shop, attributes):
    odd = [
        ({"key": "citi", "comparison": "is_not", "value": "Madrid"}, "there is no such attribute"),
        ({"key": "citi", "comparison": "is_set"}, "there is no such attribute"),
        ({"key": "visits", "comparison": "at_least", "value": "3"}, "must be a number"),
        ({"key": "since", "comparison": "at_most", "value": "01.12.2026"}, "must be a date"),
        ({"key": "size", "value": "XXL"}, "must be one of"),
    ]
    for condition, fault in odd:
        asked = {"attributes": [{"key": "city", "value": "Madrid"}, condition]}
        step = {"delay_minutes": 1, "template": "Hello", "condition": asked}
        answers = {
            "filter": await api.post("/segments", json={"name": "n", "filter": asked}),
            "audience": await api.post("/campaigns", json={"name": "n", "template": "Hello", "audience": asked}),
            "steps[0].condition": await api.post("/follow-up-sequences", json={"name": "n", "steps": [step]}),
            "change": await api.patch(f"/segments/{shop.segment_id}", json={"filter": asked}),
        }
        for where, answer in answers.items():
            assert answer.status_code == 422, (where, condition)
            assert fault in answer.json()["detail"]
            assert answer.json()["errors"][0]["where"][-2:] == ["attributes", 1]
    good = [{"key": "visits", "comparison": "at_least", "value": 3}, {"key": "size", "comparison": "is_set"}]
    assert (await api.post("/segments", json={"name": "n", "filter": {"attributes": good}})).status_code == 201


async def test_a_segment_means_whoever_fits_when_it_is_asked(api, shop, store, attributes):
    other = await a_contact(store, shop.tenant, name="Bob", tags=["new"])
    made = await api.post(
        "/segments",
        json={"name": "Madrid", "filter": {"attributes": [{"key": "city", "value": "Madrid"}]}},
    )
    assert made.status_code == 201
    path = f"/segments/{made.json()['id']}"
    assert (await api.get(f"{path}/contacts")).json()["data"] == []

    await api.patch(f"/contacts/{other}", json={"attributes": {"city": "Madrid"}})

    assert [each["name"] for each in (await api.get(f"{path}/contacts")).json()["data"]] == ["Bob"]
    again = await api.post("/segments", json={"name": "Madrid", "filter": {}})
    assert again.status_code == 409
    wider = await api.patch(path, json={"filter": {"tags_any": ["new", "vip"]}})
    assert wider.json()["filter"] == {"tags_any": ["new", "vip"]}
    first = (await api.get(f"{path}/contacts", params={"limit": 1})).json()
    rest = (await api.get(f"{path}/contacts", params={"limit": 1, "cursor": first["next_cursor"]})).json()
    assert {each["name"] for each in first["data"] + rest["data"]} == {"Ann", "Bob"}


async def test_notes_keep_their_authors(api, shop):
    path = f"/contacts/{shop.contact_id}/notes"

    await api.post(path, json={"notes": "Likes tea"})
    now = (await api.post(path, json={"notes": "Likes coffee"})).json()

    assert now["notes"] == "Likes coffee"
    assert [note["body"] for note in now["data"]] == ["Likes coffee", "Likes tea"]
    assert {note["author"] for note in now["data"]} == {f"key:{shop.key_id}"}
    assert (await api.get(path)).json() == now


async def test_a_no_stops_what_is_queued_and_a_yes_lets_it_go_on(api, shop, store, rows):
    queued = await api.post(f"/campaigns/{shop.campaign_id}/test", json={"contact_id": str(shop.contact_id)})
    assert queued.status_code == 202
    path = f"/contacts/{shop.contact_id}/consents"

    said = await api.post(path, json={"kind": "opt_out", "method": "phone call"})

    assert said.status_code == 201
    assert [each["state"] for each in rows("select state from outbox")] == ["cancelled"]
    assert [each["state"] for each in rows("select state from follow_up_runs")] == ["cancelled"]
    contact = (await api.get(f"/contacts/{shop.contact_id}")).json()
    assert contact["opted_out_at"] is not None
    await api.post(path, json={"kind": "opt_in", "method": "signed card", "recorded_at": "2099-01-01T00:00:00Z"})
    history = (await api.get(path)).json()["data"]
    assert [(each["kind"], each["method"]) for each in history] == [
        ("opt_in", "signed card"),
        ("opt_out", "phone call"),
    ]
    # Nobody agrees in the future.
    assert history[0]["recorded_at"] < "2099"
    assert (await api.get(f"/contacts/{shop.contact_id}")).json()["opted_out_at"] is None
    assert {each["event_type"] for each in rows("select event_type from analytics_events")} == {"opted_out", "opted_in"}


@pytest.mark.parametrize("last", ["opt_in", "opt_out"])
async def test_an_older_word_typed_in_later_undoes_no_newer_one(api, shop, last):
    path = f"/contacts/{shop.contact_id}/consents"
    older = "opt_in" if last == "opt_out" else "opt_out"
    await api.post(path, json={"kind": "opt_out", "method": "call", "recorded_at": "2026-01-01T00:00:00Z"})
    await api.post(path, json={"kind": last, "method": "call", "recorded_at": "2026-03-01T00:00:00Z"})
    before = (await api.get(f"/contacts/{shop.contact_id}")).json()["opted_out_at"]

    said = await api.post(path, json={"kind": older, "method": "card", "recorded_at": "2026-02-01T00:00:00Z"})

    assert said.json()["data"][0]["kind"] == last
    assert (await api.get(f"/contacts/{shop.contact_id}")).json()["opted_out_at"] == before
    assert (before is None) == (last == "opt_in")


async def test_a_filter_on_consent_needs_a_yes_on_record(api, shop, store, now):
    silent = await a_contact(store, shop.tenant, name="Silent")
    await api.post(f"/contacts/{shop.contact_id}/consents", json={"kind": "opt_in", "method": "form"})
    made = (await api.post("/segments", json={"name": "Agreed", "filter": {"is_opted_in": True}})).json()

    found = (await api.get(f"/segments/{made['id']}/contacts")).json()["data"]

    assert [each["id"] for each in found] == [str(shop.contact_id)]
    async with store.platform_transaction() as transaction:
        await transaction.execute(
            text("update contacts set opted_out_at = :at where id = :id"), {"at": now, "id": shop.contact_id}
        )
    assert (await api.get(f"/segments/{made['id']}/contacts")).json()["data"] == []
    assert str(silent) not in str(found)
