"""/campaigns over HTTP: what is refused and why, and every step with its answer."""

import pytest

from tests.factories import a_campaign, a_contact, a_tenant


async def drafted(api, **values):
    made = await api.post("/campaigns", json={"name": "Offer", "template": "Hello"} | values)
    assert made.status_code == 201, made.text
    return made.json()


async def test_a_campaign_is_drafted_previewed_and_started(api, shop, store, now):
    await a_contact(store, shop.tenant, tags=["vip"])
    await a_contact(store, shop.tenant, tags=["vip"], opted_out_at=now)
    made = await drafted(api, audience={"tags_all": ["vip"]}, template="Hi {{name}}", holdout_share=0)

    assert made["state"] == "draft"
    assert made["audience"] == {"tags_all": ["vip"]}
    preview = (await api.post(f"/campaigns/{made['id']}/preview")).json()
    # The shop's own contact is the third.
    assert preview == {"audience": 3, "eligible": 2, "held_out": 0, "skipped": {"opted_out": 1}, "missing": {}}
    started = await api.post(f"/campaigns/{made['id']}/start")
    assert started.status_code == 200
    assert started.json()["state"] == "running"
    results = (await api.get(f"/campaigns/{made['id']}/results")).json()
    assert results["recipients"] == 0
    assert results["lift"] is None


async def test_an_hour_without_offset_is_the_tenants(api):
    await api.put("/settings", json={"timezone": "America/Sao_Paulo"})

    made = await drafted(api, scheduled_at="2030-12-01T10:00:00")

    assert made["scheduled_at"] == "2030-12-01T13:00:00Z"
    assert (await api.post(f"/campaigns/{made['id']}/start")).json()["state"] == "scheduled"
    assert (await api.post(f"/campaigns/{made['id']}/pause")).json()["state"] == "paused"
    assert (await api.post(f"/campaigns/{made['id']}/resume")).json()["state"] == "scheduled"
    assert (await api.post(f"/campaigns/{made['id']}/start")).json()["state"] == "running"
    assert (await api.post(f"/campaigns/{made['id']}/cancel")).json()["state"] == "cancelled"


async def test_an_hour_that_is_past_is_refused(api):
    made = await drafted(api)
    # A number is read as seconds since 1970.
    for past in ("2024-12-01T10:00:00Z", "2024-12-01T10:00:00", -1):
        drawn = await api.post("/campaigns", json={"name": "n", "template": "t", "scheduled_at": past})
        moved = await api.patch(f"/campaigns/{made['id']}", json={"scheduled_at": past})
        for answer in (drawn, moved):
            assert answer.status_code == 422, past
            assert answer.json()["detail"] == "scheduled_at: is past; leave it out to start at once."
    assert (await api.patch(f"/campaigns/{made['id']}", json={"scheduled_at": None})).status_code == 200


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"template": "Hi {{nmae}}"}, "there is no variable 'nmae'"),
        ({"template": "Hi {{name"}, "braces are not closed"),
        ({"template": ""}, "at least 1 character"),
        ({"audience": {"tag": "vip"}}, "unexpected keyword"),
        ({"audience": {"silent_for_days": 0}}, "silent_for_days must be 1 to"),
        ({"messages_per_minute": 0}, "greater than or equal to 1"),
        ({"holdout_share": 1}, "less than or equal to 0.9"),
        ({"quiet_from": "21:00"}, "given together"),
        ({"state": "running"}, "extra"),
        ({"tenant_id": "x"}, "extra"),
    ],
)
async def test_a_slip_is_named(api, values, said):
    refused = await api.post("/campaigns", json={"name": "Offer", "template": "Hello"} | values)

    assert refused.status_code == 422
    assert said in refused.text.lower() or said in refused.text


async def test_an_hour_that_the_clocks_skip_is_named(api):
    await api.put("/settings", json={"timezone": "Europe/Madrid"})

    refused = await api.post("/campaigns", json={"name": "n", "template": "t", "scheduled_at": "2030-03-31T02:30:00"})

    assert refused.status_code == 422
    assert refused.json()["errors"][0]["where"] == ["body", "scheduled_at"]
    assert "clocks go forward" in refused.json()["detail"]


async def test_it_does_not_start_while_a_name_is_missing(api, shop, store):
    await a_contact(store, shop.tenant, name=None)
    made = await drafted(api, template="Hi {{first_name}}")

    refused = await api.post(f"/campaigns/{made['id']}/start")

    assert refused.status_code == 422
    assert refused.json()["missing"] == {"first_name": 1}
    changed = await api.patch(f"/campaigns/{made['id']}", json={"template": "Hi {{first_name|friend}}"})
    assert changed.status_code == 200
    assert (await api.post(f"/campaigns/{made['id']}/start")).status_code == 200


async def test_only_a_draft_changes_or_goes(api, shop):
    started = await drafted(api)
    await api.post(f"/campaigns/{started['id']}/start")

    for refused in (
        await api.patch(f"/campaigns/{started['id']}", json={"name": "x"}),
        await api.delete(f"/campaigns/{started['id']}"),
        await api.post(f"/campaigns/{started['id']}/resume"),
    ):
        assert refused.status_code == 409
        assert refused.json()["state"] == "running"
    draft = await drafted(api)
    assert (await api.delete(f"/campaigns/{draft['id']}")).status_code == 204
    assert (await api.get(f"/campaigns/{draft['id']}")).status_code == 404


async def test_a_start_that_is_sent_twice_is_done_once(api):
    made = await drafted(api)
    headers = {"idempotency-key": "one"}

    first = await api.post(f"/campaigns/{made['id']}/start", headers=headers)
    again = await api.post(f"/campaigns/{made['id']}/start", headers=headers)

    assert (first.status_code, again.status_code) == (200, 200)
    assert again.headers["idempotency-replayed"] == "true"


async def test_a_test_goes_to_one_contact_and_counts_nowhere(api, shop, store, rows, now):
    made = await drafted(api, template="Hi {{name}}")
    out = await a_contact(store, shop.tenant, opted_out_at=now)

    sent = await api.post(f"/campaigns/{made['id']}/test", json={"contact_id": str(shop.contact_id)})

    assert sent.status_code == 202
    assert sent.json() == {"text": "Hi Ann"}
    assert [row["kind"] for row in rows("select kind from outbox")] == ["notice"]
    assert rows("select 1 from campaign_recipients") == []
    refused = await api.post(f"/campaigns/{made['id']}/test", json={"contact_id": str(out)})
    assert refused.status_code == 409
    assert refused.json()["code"] == "opted_out"


async def test_another_tenants_number_and_contact_are_not_found(api, shop, store):
    theirs = await a_tenant(store)
    contact_id = await a_contact(store, theirs)
    made = await drafted(api)

    number = await api.post("/campaigns", json={"name": "n", "template": "t", "instance_id": str(theirs.instance_id)})
    contact = await api.post(f"/campaigns/{made['id']}/test", json={"contact_id": str(contact_id)})

    assert (number.status_code, contact.status_code) == (404, 404)


async def test_lists_go_page_by_page(api, shop, store, rows):
    for n in range(3):
        await a_campaign(store, shop.tenant, name=f"c{n}")

    first = (await api.get("/campaigns", params={"limit": 3})).json()
    rest = (await api.get("/campaigns", params={"limit": 3, "cursor": first["next_cursor"]})).json()

    names = [each["name"] for each in first["data"] + rest["data"]]
    assert names == ["c2", "c1", "c0", "Offer"]
    assert rest["next_cursor"] is None


async def test_a_template_whose_attribute_is_gone_is_told(api, shop):
    await api.post("/contact-attributes", json={"key": "city", "label": "City", "type": "text"})
    made = await drafted(api, template="Hi from {{attributes.city|here}}")
    await api.delete("/contact-attributes/city", params={"force": True})

    tested = await api.post(f"/campaigns/{made['id']}/test", json={"contact_id": str(shop.contact_id)})

    assert (tested.status_code, tested.json()["code"]) == (409, "invalid_template")
    assert "attributes.city" in tested.json()["detail"]
