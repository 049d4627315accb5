"""What an integrator's program meets at the edges of the contract: a refusal that names the field, never a 500."""

from datetime import UTC, datetime

import pytest

from mychatflow.rules.attributes import Definition
from mychatflow.store import contact_attributes
from tests.factories import a_resource, a_service

JSON = {"content-type": "application/json"}
OFFER = {"name": "Offer", "template": "Hello"}


@pytest.fixture
async def visits(store, shop):
    async with store.tenant_transaction(shop.tenant.tenant_id) as transaction:
        for key, kind in (("visits", "number"), ("word", "text")):
            definition = Definition(key=key, type=kind)
            await contact_attributes.define(transaction, shop.tenant.tenant_id, definition, label=key)


async def refused(api, method, path, body, field):
    """Raw, since no client of ours would write such JSON."""
    answer = await api.request(method, path, content=body, headers=JSON)
    assert answer.status_code == 422, (path, answer.text)
    assert answer.headers["content-type"] == "application/problem+json"
    errors = answer.json()["errors"]
    assert errors, answer.text
    assert field in ".".join(str(part) for part in errors[0]["where"]), errors


async def test_half_a_character_is_refused_wherever_it_stands(api, shop, visits):
    contact = f"/contacts/{shop.contact_id}"
    for method, path, body in (
        ("PATCH", contact, '{"attributes": {"word": "a\\ud800"}}'),
        ("PATCH", contact, '{"attributes": {"\\ud800": "a"}}'),
        ("PATCH", contact, '{"\\ud800": "a"}'),
        ("POST", "/segments", '{"name": "s", "filter": {"tags_all": ["\\ud800"]}}'),
        ("PUT", "/settings", '{"business_hours": {"\\ud800": []}}'),
    ):
        await refused(api, method, path, body, "body")
    # A pair of them is one character.
    assert (await api.patch(contact, content='{"name": "\\ud83d\\ude00"}', headers=JSON)).json()["name"] == "😀"


async def test_a_number_without_an_end_is_no_value(api, shop, visits):
    condition = '[{"key": "visits", "comparison": "at_least", "value": %s}]'

    for number in ("1e999", "-1e999", "NaN"):
        filtered = '{"attributes": ' + condition % number + "}"
        await refused(api, "POST", "/segments", '{"name": "s", "filter": ' + filtered + "}", "filter.attributes")
        await refused(
            api, "POST", "/campaigns", '{"name": "n", "template": "t", "audience": ' + filtered + "}", "audience"
        )
    for number in ("1e999", "NaN", "1" + "0" * 400):
        body = '{"attributes": {"visits": ' + number + "}}"
        await refused(api, "PATCH", f"/contacts/{shop.contact_id}", body, "attributes.visits")


async def test_a_field_that_stands_twice_is_refused(api, rows):
    for body in ('{"name": "k", "role": "viewer", "role": "owner"}', '{"name": "k", "x": {"a": 1, "\\u0061": 2}}'):
        answer = await api.post("/api-keys", content=body, headers={"content-type": "application/json"})
        assert (answer.status_code, answer.json()["code"]) == (400, "malformed")
        assert answer.json()["detail"] == "The body is not valid JSON: a field stands twice."
    assert rows("select 1 from api_keys where name = 'k'") == []
    asked = await api.get("/contacts?limit=1&limit=2")
    assert (asked.status_code, asked.json()["detail"]) == (422, "limit: stands more than once.")


async def test_days_that_no_calendar_reaches_are_refused_by_field(api, shop):
    for since, until, field in (
        ("9999-12-31", None, "from"),
        ("0001-01-01", "0001-01-05", "from"),
        (None, "9999-12-31", "to"),
        (None, "2020-01-01", "to"),
    ):
        asked = {"service_id": str(shop.service_id), "from": since, "to": until}
        answer = await api.get("/appointments/slots", params={key: value for key, value in asked.items() if value})
        assert answer.status_code == 422, (since, until, answer.text)
        assert answer.json()["errors"][0]["where"] == ["query", field]
    for zone, moment in (
        ("UTC", "9999-12-31T23:59:59-05:00"),
        ("UTC", "0001-01-01T00:00:00+05:00"),
        ("Asia/Tokyo", "0001-01-01T00:00:00"),
        ("America/New_York", "9999-12-31T23:59:59"),
    ):
        assert (await api.put("/settings", json={"timezone": zone})).status_code == 200
        answer = await api.post("/campaigns", json=OFFER | {"scheduled_at": moment})
        assert answer.status_code == 422, (moment, answer.text)
        assert answer.json()["errors"][0]["where"] == ["body", "scheduled_at"]


async def test_a_refusal_by_our_own_rules_names_its_field_too(api, shop):
    choice = {"key": "size", "label": "Size", "type": "choice"}

    for path, body, where in (
        ("/contact-attributes", choice, ["body", "choices"]),
        ("/documents/urls", {"urls": ["https://example.com/", "http://127.0.0.1/"]}, ["body", "urls", 1]),
        ("/campaigns", OFFER | {"template": "Hi {{nobody}}"}, ["body", "template"]),
    ):
        answer = await api.post(path, json=body)
        assert answer.status_code == 422, answer.text
        assert answer.json()["errors"][0]["where"] == where
    empty = await api.post("/documents", params={"title": "t"}, content=b"", headers={"content-type": "text/plain"})
    assert empty.json()["errors"][0]["where"] == ["body"]


async def test_today_is_the_calendars_own(api, shop, store):
    """At two in the morning in UTC it is still yesterday evening in California, and there is a table free."""
    service = await a_service(store, shop.tenant, name="Dinner", step_minutes=5, duration_minutes=5)
    await a_resource(store, shop.tenant, timezone="Etc/GMT+12", service_ids=[service["id"]])
    await api.patch(f"/resources/{shop.resource_id}", json={"is_active": False})

    found = (await api.get("/appointments/slots", params={"service_id": str(service["id"])})).json()["data"]

    first = datetime.fromisoformat(found[0]["starts_at"])
    assert (first - datetime.now(UTC)).total_seconds() < 600


async def test_quiet_hours_are_whole_or_none(api):
    quiet = {"quiet_from": "21:00", "quiet_until": "08:00"}
    path = f"/campaigns/{(await api.post('/campaigns', json=OFFER | quiet)).json()['id']}"

    for change in ({"quiet_until": None}, {"quiet_from": None}, {"quiet_from": "22:00"}):
        assert (await api.patch(path, json=change)).status_code == 422, change
    kept = (await api.get(path)).json()
    assert (kept["quiet_from"], kept["quiet_until"]) == ("21:00:00", "08:00:00")
    assert (await api.patch(path, json=dict.fromkeys(quiet))).json()["quiet_until"] is None
    for clock in ("21:00Z", "21:00+05:30", "21:00:00.5"):
        answer = await api.post("/campaigns", json=OFFER | quiet | {"quiet_from": clock})
        assert answer.status_code == 422, clock
        assert answer.json()["errors"][0]["where"] == ["body", "quiet_from"]


async def test_a_change_of_nothing_changes_nothing(api, shop, rows):
    """A service's new version would void every slot that customers were offered."""
    rows_before = rows("select knowledge_version from settings")
    for path in (
        f"/services/{shop.service_id}",
        f"/resources/{shop.resource_id}",
        f"/quick-replies/{shop.quick_reply_id}",
        f"/campaigns/{shop.campaign_id}",
        f"/contacts/{shop.contact_id}",
    ):
        before = (await api.get(path)).json()
        assert (await api.patch(path, json={})).json() == before, path
    assert rows("select knowledge_version from settings") == rows_before


async def test_a_name_that_is_taken_is_a_conflict(api):
    await api.post("/segments", json={"name": "Regulars", "filter": {}})
    other = (await api.post("/segments", json={"name": "New", "filter": {}})).json()

    taken = await api.patch(f"/segments/{other['id']}", json={"name": "Regulars"})

    assert (taken.status_code, taken.json()["code"]) == (409, "taken")
    assert (await api.get(f"/segments/{other['id']}")).json() == other


async def test_tags_that_can_be_read_can_be_written_back(api, shop):
    path = f"/contacts/{shop.contact_id}"
    many = [f"t{number}" for number in range(49)]
    assert (await api.post(f"{path}/tags", json={"add": many})).status_code == 200

    full = (await api.get(path)).json()["tags"]
    over = await api.post(f"{path}/tags", json={"add": ["one more"]})

    assert (len(full), over.status_code, over.json()["code"]) == (50, 409, "too_many")
    assert (await api.patch(path, json={"tags": full})).json()["tags"] == full
    assert (await api.post(f"{path}/tags", json={"add": ["one more"], "remove": ["t0"]})).status_code == 200
