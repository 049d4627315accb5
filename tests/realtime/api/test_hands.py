"""Who answers a person, and what a resolve leaves behind."""

from tests.realtime.api.conftest import bearer


async def test_a_handed_off_contact_waits_for_people(api, shop, rows):
    path = f"/contacts/{shop.contact_id}"

    handed = (await api.post(f"{path}/handoff", json={"reason": "complaint"})).json()
    released = (await api.post(f"{path}/release")).json()

    assert (handed["is_handed_off"], handed["handoff_reason"], handed["owner"]) == (True, "complaint", "human")
    assert (released["is_handed_off"], released["handoff_reason"], released["owner"]) == (False, None, "agent")
    assert [row["reason"] for row in rows("select reason from ownership_history order by changed_at")] == [
        "complaint",
        "released",
    ]
    [event] = rows("select properties from analytics_events where event_type = 'handoff_triggered'")
    assert event["properties"] == {"reason": "complaint", "matched": None}


async def test_a_reason_in_other_words_is_kept_and_counts_as_manual(api, shop, rows):
    path = f"/contacts/{shop.contact_id}/handoff"

    handed = await api.post(path, json={"reason": "she was angry"})

    assert handed.json()["handoff_reason"] == "she was angry"
    [event] = rows("select properties from analytics_events where event_type = 'handoff_triggered'")
    assert event["properties"] == {"reason": "manual", "matched": None}
    assert (await api.post(path, json={"reason": "x" * 201})).status_code == 422


async def test_a_takeover_outlasts_an_answer(api, shop):
    path = f"/conversations/{shop.contact_id}"

    taken = (await api.post(f"{path}/takeover")).json()
    await api.post(f"{path}/reply", json={"text": "Here I am."})
    after = (await api.get(path)).json()
    back = (await api.post(f"{path}/handback")).json()

    assert (taken["owner"], taken["paused_until"]) == ("human", None)
    assert (after["owner"], after["paused_until"]) == ("human", None)
    assert (back["owner"], back["paused_until"]) == ("agent", None)


async def test_a_resolved_episode_is_closed_once(api, shop, rows):
    path = f"/conversations/{shop.contact_id}/resolve"

    closed = await api.post(path)
    again = await api.post(path)

    assert closed.json()["outcome"] == "autonomous"
    assert closed.json()["resolved_by"] == "person"
    assert closed.json()["closed_at"] is not None
    assert again.status_code == 409
    [event] = rows("select properties, episode_id from analytics_events where event_type = 'episode_closed'")
    assert event["episode_id"] == shop.episode_id
    assert event["properties"]["reply_counts"] == {"agent": 1, "human": 0}
    listed = (await api.get("/episodes", params={"outcome": "autonomous"})).json()["data"]
    assert [each["id"] for each in listed] == [str(shop.episode_id)]


async def test_notes_are_kept_sealed(api, shop, rows):
    path = f"/contacts/{shop.contact_id}/notes"

    await api.put(path, json={"notes": "likes blue"})

    assert (await api.get(path)).json()["notes"] == "likes blue"
    assert b"blue" not in bytes(rows("select notes from contacts")[0]["notes"])
    assert (await api.put(path, json={"notes": None})).json()["notes"] is None
    assert (await api.get(path)).json()["notes"] is None


async def test_a_new_key_shows_once_and_works(api, shop):
    made = (await api.post("/api-keys", json={"name": "crm", "role": "agent"})).json()

    assert (await api.get("/contacts", headers=bearer(made["api_key"]))).status_code == 200
    assert (await api.get("/settings", headers=bearer(made["api_key"]))).status_code == 403
    listed = await api.get("/api-keys")
    assert made["api_key"] not in listed.text
    assert made["prefix"] in listed.text
    assert (await api.delete(f"/api-keys/{made['id']}")).status_code == 204
    assert (await api.get("/contacts", headers=bearer(made["api_key"]))).status_code == 401


async def test_a_key_has_no_scope_that_its_role_may_not_use(api):
    wanted = {"name": "crm", "role": "agent", "scopes": ["view_leads", "manage_settings"]}
    refused = await api.post("/api-keys", json=wanted)

    assert refused.status_code == 422
    assert refused.json()["errors"][0]["where"] == ["body", "scopes"]
    assert refused.json()["errors"][0]["problem"] == "the role agent may not: manage_settings"
    assert (await api.post("/api-keys", json=wanted | {"role": "admin"})).status_code == 201


async def test_an_admin_makes_no_owner(api, shop):
    admin = (await api.post("/api-keys", json={"name": "a", "role": "admin"})).json()["api_key"]

    assert (await api.post("/api-keys", json={"name": "b", "role": "admin"}, headers=bearer(admin))).status_code == 201
    assert (await api.post("/api-keys", json={"name": "c", "role": "owner"}, headers=bearer(admin))).status_code == 403


async def test_notifications_are_read_once(api, shop):
    path = f"/notifications/{shop.notification_id}/read"

    first = (await api.post(path)).json()["read_at"]

    assert first is not None
    assert (await api.post(path)).json()["read_at"] == first
    assert (await api.get("/notifications", params={"unread": True})).json()["data"] == []
    assert len((await api.get("/notifications")).json()["data"]) == 1


async def test_a_session_name_is_taken_once(api, shop):
    assert (await api.post("/instances", json={"session": "desk-2", "name": "Desk"})).status_code == 201
    assert (await api.post("/instances", json={"session": "desk-2"})).status_code == 409
    assert (await api.post("/instances", json={"session": "a/b"})).status_code == 422
    assert (
        await api.post("/instances", json={"session": "x", "base_url": "http://169.254.169.254"})
    ).status_code == 422
    names = [each["name"] for each in (await api.get("/instances")).json()["data"]]
    assert sorted(names) == ["Desk", "Front desk"]
    assert "secret" not in (await api.get("/instances")).text
