"""/follow-up-sequences over HTTP: written, versioned, begun by hand, and every step with its reason."""

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import text

from tests.factories import a_contact, a_sequence
from tests.realtime.api.possessions import a_message

STEPS = [
    {"delay_minutes": 60, "template": "Still interested, {{first_name|friend}}?"},
    {"delay_minutes": 1440, "template": "Last call", "condition": {"grades": ["A", "B"]}},
]


async def written(api, **values):
    made = await api.post("/follow-up-sequences", json={"name": "Silence", "steps": STEPS} | values)
    assert made.status_code == 201, made.text
    return made.json()


async def test_new_steps_are_a_new_version_and_the_old_one_stays(api):
    made = await written(api)
    assert [(step["step"], step["condition"]) for step in made["steps"]] == [(1, {}), (2, {"grades": ["A", "B"]})]

    changed = await api.patch(f"/follow-up-sequences/{made['id']}", json={"steps": STEPS[:1], "is_active": False})

    assert changed.status_code == 200
    assert (changed.json()["version"], len(changed.json()["steps"]), changed.json()["is_active"]) == (2, 1, False)
    assert (changed.json()["name"], changed.json()["quiet_from"]) == ("Silence", "21:00:00")
    versions = (await api.get(f"/follow-up-sequences/{made['id']}/versions")).json()["data"]
    assert [(step["version"], step["step"]) for step in versions] == [(2, 1), (1, 1), (1, 2)]


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"steps": []}, "at least 1 item"),
        ({"steps": [{"delay_minutes": 0, "template": "t"}]}, "greater than or equal to 1"),
        ({"steps": [{"delay_minutes": 5, "template": "{{nmae}}"}]}, "steps[0].template: there is no variable 'nmae'"),
        ({"steps": [{"delay_minutes": 5, "template": "t", "condition": {"grade": "A"}}]}, "Unexpected keyword"),
        ({"trigger": "moon"}, "'silence' or 'manual'"),
        ({"quiet_from": "25:00"}, "quiet_from"),
    ],
)
async def test_a_slip_is_named(api, values, said):
    refused = await api.post("/follow-up-sequences", json={"name": "Silence", "steps": STEPS} | values)

    assert refused.status_code == 422
    assert said in refused.text


async def test_a_contact_is_followed_up_by_hand(api, shop, store):
    made = await written(api, trigger="manual")
    body = {"contact_id": str(shop.contact_id)}

    begun = await api.post(f"/follow-up-sequences/{made['id']}/runs", json=body)

    assert begun.status_code == 201
    run = begun.json()
    assert (run["state"], run["version"], run["started_by"]) == ("running", 1, f"key:{shop.key_id}")
    assert [(step["step"], step["state"]) for step in run["steps"]] == [(1, "scheduled")]
    again = await api.post(f"/follow-up-sequences/{made['id']}/runs", json=body)
    assert (again.status_code, again.json()["code"]) == (409, "already_running")
    ended = (await api.post(f"/follow-up-runs/{run['id']}/cancel")).json()
    assert (ended["state"], ended["reason"]) == ("cancelled", "cancelled_by_person")
    assert [(step["state"], step["reason"]) for step in ended["steps"]] == [("cancelled", "cancelled_by_person")]
    runs = (await api.get(f"/contacts/{shop.contact_id}/follow-ups")).json()["data"]
    assert run["id"] in {each["id"] for each in runs}


async def test_who_opted_out_is_not_followed_up(api, shop, store, now):
    made = await written(api)
    out = await a_contact(store, shop.tenant, opted_out_at=now)

    refused = await api.post(f"/follow-up-sequences/{made['id']}/runs", json={"contact_id": str(out)})

    assert (refused.status_code, refused.json()["code"]) == (409, "opted_out")


async def test_a_sequence_with_a_past_is_switched_off_not_deleted(api, shop, store):
    fresh = await written(api)

    assert (await api.delete(f"/follow-up-sequences/{fresh['id']}")).status_code == 204
    assert (await api.delete(f"/follow-up-sequences/{shop.sequence_id}")).status_code == 409


async def test_results_compare_with_the_people_held_out(api, shop, store):
    sequence_id = await a_sequence(store, shop.tenant, holdout_share=0.5)
    answered = early = 0
    for n in range(40):
        contact_id = await a_contact(store, shop.tenant)
        begun = await api.post(f"/follow-up-sequences/{sequence_id}/runs", json={"contact_id": str(contact_id)})
        if begun.json()["state"] == "running":
            # Before the message, after it, or so late that there are other reasons.
            later = (timedelta(minutes=10), timedelta(hours=1), timedelta(days=8))[n % 3]
            await a_message(store, shop.tenant, contact_id, "Yes, please", at=datetime.now(UTC) + later)
            early, answered = early + (n % 3 == 0), answered + (n % 3 == 1)
    async with store.platform_transaction() as transaction:
        await transaction.execute(
            text(
                "update follow_ups set state = 'sent', decided_at = now() + interval '30 minutes'"
                " where sequence_id = :id"
            ),
            {"id": sequence_id},
        )

    results = (await api.get(f"/follow-up-sequences/{sequence_id}/results")).json()

    assert results["runs"] == 40 == results["treated"] + results["held_out"]
    assert 8 < results["held_out"] < 32
    assert (results["treated_replied"], results["held_out_replied"]) == (answered, 0)
    # Both groups have the same seven days: who wrote before the message counts as among the held out.
    assert (results["assigned"], results["assigned_replied"]) == (results["treated"], answered + early)
    assert results["lift"]["difference"] == pytest.approx((answered + early) / results["treated"])
    held = (await api.get(f"/follow-up-sequences/{sequence_id}/runs", params={"state": "held_out"})).json()["data"]
    assert len(held) == results["held_out"]
    assert all(run["steps"] == [] and run["reason"] == "control group" for run in held)
