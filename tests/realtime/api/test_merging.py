"""Two contacts that turn out to be one person become one, with all they said, agreed to and were sent."""

import asyncio
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from sqlalchemy import text

from mychatflow.rules import lead_score
from mychatflow.store import contact_book, contact_merging, read_markers
from mychatflow.store.privacy import Privacy
from tests.factories import a_campaign, a_contact
from tests.realtime.api.possessions import a_data_request, a_file, a_message, a_run, an_episode


@pytest.fixture
async def twin(store, shop):
    """The same person under another number, who wrote last."""
    return await a_contact(
        store,
        shop.tenant,
        wa_id="34699111222@c.us",
        name=None,
        tags=["late"],
        last_inbound_at=datetime.now(UTC),
        last_message_at=datetime.now(UTC),
    )


async def merged(api, shop, other):
    answer = await api.post(f"/contacts/{shop.contact_id}/merge", json={"contact_id": str(other)})
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_every_table_with_a_person_moves_or_stays(rows):
    """A table made tomorrow must say which."""
    found = rows(
        "select class.relname as name from pg_class as class join pg_attribute as attribute"
        " on attribute.attrelid = class.oid and attribute.attname = 'contact_id' and not attribute.attisdropped"
        " where class.relkind in ('r', 'p') and not class.relispartition"
    )

    assert {row["name"] for row in found} == set(contact_merging.MOVES) | contact_merging.STAYS


async def test_all_of_one_person_is_found_under_the_first(api, shop, store, rows, twin):
    await a_message(store, shop.tenant, twin, "from the other number")
    await a_file(store, shop.tenant, twin)
    await an_episode(store, shop.tenant, twin)
    async with store.tenant_transaction(shop.tenant.tenant_id) as transaction:
        cipher = await store.key_ring.for_tenant(shop.tenant.tenant_id, transaction)
        for contact_id, words in ((shop.contact_id, "likes tea"), (twin, "likes cake")):
            await contact_book.set_notes(transaction, shop.tenant.tenant_id, contact_id, words, cipher=cipher)

    shown = await merged(api, shop, twin)

    assert (shown["name"], shown["tags"]) == ("Ann", ["late", "vip"])
    messages = (await api.get(f"/conversations/{shop.contact_id}/messages")).json()["data"]
    assert "from the other number" in {message["text"] for message in messages}
    assert (await api.get(f"/contacts/{shop.contact_id}/notes")).json()["notes"] == "likes tea\n\nlikes cake"
    for table in contact_merging.MOVES:
        assert rows(f"select 1 from {table} where contact_id = %s", twin) == [], table
    # One conversation is open, and where the person wrote last is where answers go.
    assert len(rows("select 1 from episodes where contact_id = %s and closed_at is null", shop.contact_id)) == 1
    assert len(rows("select 1 from analytics_events where event_type = 'episode_closed'")) == 1
    [kept] = rows("select chat_id from contacts where id = %s", shop.contact_id)
    assert kept["chat_id"] == "34699111222@c.us"
    [entry] = rows("select subject, detail from audit_log where action = 'contact.merged'")
    assert entry["subject"] == str(shop.contact_id)
    assert entry["detail"]["merged_contact_id"] == str(twin)


async def test_the_merged_id_says_where_the_person_is(api, shop, rows, twin):
    await merged(api, shop, twin)

    gone = await api.get(f"/contacts/{twin}")
    assert (gone.status_code, gone.json()["merged_into_id"]) == (404, str(shop.contact_id))
    assert str(twin) not in (await api.get("/contacts")).text
    [mark] = rows("select name, phone, wa_id, tags from contacts where id = %s", twin)
    assert mark == {"name": None, "phone": None, "wa_id": f"merged:{twin}", "tags": []}
    # By this the other number's next message is this person's.
    assert rows("select contact_id from contact_identities where value = '+34699111222'") == [
        {"contact_id": shop.contact_id}
    ]


async def test_nothing_new_is_begun_with_a_merged_id(api, shop, rows, twin):
    """A booking of nobody's would hold the chair, and no reminder would ever go out."""
    await merged(api, shop, twin)
    soon = {"service_id": str(shop.service_id), "from": (datetime.now(UTC) + timedelta(days=2)).date().isoformat()}
    slot, *_ = (await api.get("/appointments/slots", params=soon)).json()["data"]
    whom = {"contact_id": str(twin)}

    for path, body in (
        ("/appointments", {"slot_id": slot["slot_id"], "notify": True}),
        (f"/campaigns/{shop.campaign_id}/test", {}),
        (f"/follow-up-sequences/{shop.sequence_id}/runs", {}),
        ("/exports", {}),
    ):
        answer = await api.post(path, json=whom | body)
        assert (answer.status_code, answer.json().get("merged_into_id")) == (404, str(shop.contact_id)), path
    assert (await api.get(f"/contacts/{twin}/follow-ups")).status_code == 404
    assert rows("select 1 from appointments where contact_id = %s", twin) == []


async def test_merging_again_changes_nothing(api, shop, store, rows, twin):
    await a_message(store, shop.tenant, twin, "hello")
    # A colleague has read both chats: they are unread or not as the first was.
    async with store.tenant_transaction(shop.tenant.tenant_id) as transaction:
        for each in (shop.contact_id, twin):
            await read_markers.read(transaction, shop.tenant.tenant_id, each, reader_id=None, through=datetime.now(UTC))
    first = await merged(api, shop, twin)
    ledger = rows("select count(*) as rows from lead_score_events")

    second = await merged(api, shop, twin)

    assert second == first
    assert rows("select count(*) as rows from lead_score_events") == ledger


async def test_two_at_once_merge_once(api, shop, rows, twin):
    answers = await asyncio.gather(
        *(api.post(f"/contacts/{shop.contact_id}/merge", json={"contact_id": str(twin)}) for _ in range(4))
    )

    assert {answer.status_code for answer in answers} == {200}
    assert len(rows("select 1 from lead_score_events where cause = 'recalculation'")) == 1


async def test_what_was_merged_follows_when_merged_again(api, shop, store, rows, twin):
    third = await a_contact(store, shop.tenant)
    await merged(api, shop, twin)

    answer = await api.post(f"/contacts/{third}/merge", json={"contact_id": str(shop.contact_id)})

    assert answer.status_code == 200
    assert {
        row["merged_into_id"] for row in rows("select merged_into_id from contacts where merged_into_id <> id")
    } == {third}


@pytest.mark.parametrize("opted_out", ["first", "second"])
async def test_the_stricter_consent_wins(api, shop, store, rows, twin, opted_out):
    who = shop.contact_id if opted_out == "first" else twin
    await api.post(f"/contacts/{twin}/consents", json={"kind": "opt_in", "method": "card"})
    await api.post(f"/contacts/{who}/consents", json={"kind": "opt_out", "method": "phone"})

    shown = await merged(api, shop, twin)

    assert shown["opted_out_at"]
    latest = (await api.get(f"/contacts/{shop.contact_id}/consents")).json()["data"]
    assert latest[0]["kind"] == "opt_out"
    assert len(latest) == (2 if opted_out == "first" else 3)


async def test_the_score_is_that_of_all_messages(api, shop, store, rows, twin):
    for minutes, who in ((9, shop.contact_id), (8, twin), (7, twin)):
        await a_message(store, shop.tenant, who, "how much?", at=datetime.now(UTC) - timedelta(minutes=minutes))
    async with store.platform_transaction() as transaction:
        await transaction.execute(
            text("update interactions set is_countable = true, is_question = true, intents = '{price_inquiry}'")
        )

    shown = await merged(api, shop, twin)

    [facts] = rows("select lead_inbound_count, lead_question_count from contacts where id = %s", shop.contact_id)
    assert facts == {"lead_inbound_count": 3, "lead_question_count": 3}
    expected = 3 * 2 + 3 * 5 + 15
    assert (shown["lead_score"], shown["lead_grade"]) == (expected, lead_score.grade_of(expected))
    [ledger] = rows("select score, cause from lead_score_events where contact_id = %s", shop.contact_id)
    assert ledger == {"score": expected, "cause": "recalculation"}


async def test_nobody_gets_a_campaign_or_a_follow_up_twice(api, shop, store, rows, twin):
    campaign_id = await a_campaign(store, shop.tenant)
    await a_run(store, shop.tenant, shop.sequence_id, twin)
    async with store.platform_transaction() as transaction:
        for contact_id, state in ((shop.contact_id, "queued"), (twin, "sent")):
            await transaction.execute(
                text(
                    "insert into campaign_recipients (tenant_id, campaign_id, contact_id, state)"
                    " values (:tenant_id, :campaign_id, :contact_id, :state)"
                ),
                {
                    "tenant_id": shop.tenant.tenant_id,
                    "campaign_id": campaign_id,
                    "contact_id": contact_id,
                    "state": state,
                },
            )

    await merged(api, shop, twin)

    # Both rows stay, so that the campaign's totals do.
    found = rows("select state, reason from campaign_recipients where campaign_id = %s order by state", campaign_id)
    assert found == [{"state": "sent", "reason": None}, {"state": "skipped", "reason": "merged"}]
    running = rows("select contact_id from follow_up_runs where state = 'running'")
    assert running == [{"contact_id": shop.contact_id}]


async def test_a_follow_up_that_waits_for_both_goes_out_once(api, shop, store, rows, twin):
    """The shop's own contact runs the same sequence already."""
    run_id = await a_run(store, shop.tenant, shop.sequence_id, twin)
    async with store.platform_transaction() as transaction:
        await transaction.execute(
            text(
                "with queued as (insert into outbox (tenant_id, instance_id, contact_id, chat_id, interaction_id,"
                " interaction_at, kind, idempotency_key, body) values (:tenant_id, :instance_id, :twin, 'c',"
                " gen_random_uuid(), now(), 'follow_up', 'once', 'x') returning id)"
                " update follow_ups set state = 'sent', outbox_id = queued.id from queued where run_id = :run_id"
            ),
            {
                "tenant_id": shop.tenant.tenant_id,
                "instance_id": shop.tenant.instance_id,
                "twin": twin,
                "run_id": run_id,
            },
        )

    await merged(api, shop, twin)

    [stopped] = rows("select state, last_error from outbox where kind = 'follow_up'")
    assert stopped == {"state": "cancelled", "last_error": "merged"}


async def test_an_erasure_under_way_comes_first(api, shop, store, rows, twin):
    await a_data_request(store, shop.tenant, "erasures", twin)
    async with store.platform_transaction() as transaction:
        await transaction.execute(text("update erasures set state = 'pending' where contact_id = :id"), {"id": twin})

    answer = await api.post(f"/contacts/{shop.contact_id}/merge", json={"contact_id": str(twin)})

    assert (answer.status_code, answer.json()["code"]) == (409, "conflict")
    assert rows("select 1 from contacts where merged_into_id is not null") == []


async def test_forgetting_either_forgets_the_person(api, shop, store, fresh, rows, twin):
    await merged(api, shop, twin)

    await Privacy(store, fresh).forget(shop.tenant.tenant_id, twin, actor="test", at=datetime.now(UTC))

    assert rows("select 1 from contacts where id in (%s, %s)", twin, shop.contact_id) == []
    assert rows("select 1 from contact_identities where value = '+34699111222'") == []


async def test_what_is_not_there_cannot_be_merged(api, shop):
    for other, status in ((shop.contact_id, 422), (UUID(int=1), 404)):
        answer = await api.post(f"/contacts/{shop.contact_id}/merge", json={"contact_id": str(other)})
        assert answer.status_code == status
