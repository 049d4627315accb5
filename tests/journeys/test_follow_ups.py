"""Follow-ups after a reply that stays unanswered."""

from datetime import UTC, datetime, time

from mychatflow.store import follow_up_runs, follow_up_sequences
from tests.journeys.conftest import House, until


async def a_sequence(house: House, tenant, *templates: str) -> None:
    await house.execute(
        "with made as (insert into follow_up_sequences (tenant_id, name, quiet_from, quiet_until)"
        " values (%(t)s, 'Silence', '00:00', '00:00') returning tenant_id, id)"
        " insert into follow_up_steps (tenant_id, sequence_id, step, delay_minutes, template)"
        " select made.tenant_id, made.id, given.step, 60, given.template from made"
        " cross join unnest(%(s)s::int[], %(x)s::text[]) as given (step, template)",
        t=tenant.tenant_id,
        s=list(range(1, len(templates) + 1)),
        x=list(templates),
    )


async def due(house: House) -> None:
    """An hour passes, and the schedule marks what is due."""
    await house.execute(
        "update follow_ups set state = 'due', due_at = now(), scheduled_at = now() where state = 'scheduled'"
    )


async def test_silence_is_followed_up_step_by_step(house: House):
    tenant = await house.a_business()
    await a_sequence(house, tenant, "Still interested, {name}?", "Last call.")
    chat = house.a_customer()
    house.write(tenant, chat, "Hello")
    await house.answers(tenant, chat, 1)
    await house.quiet(tenant)

    await due(house)
    await house.answers(tenant, chat, 2)
    await house.quiet(tenant)
    await due(house)
    texts = await house.answers(tenant, chat, 3)
    await house.quiet(tenant)

    assert texts[1].startswith("Still interested")
    assert texts[2] == "Last call."
    assert [row["state"] for row in house.rows("select state from follow_up_runs")] == ["finished"]
    assert len(house.events(tenant, "followup_sent")) == 2
    assert house.contact(tenant, chat)["automated_unanswered_count"] == 2


async def test_an_answer_cancels_the_follow_up(house: House):
    tenant = await house.a_business()
    await a_sequence(house, tenant, "Still interested?")
    chat = house.a_customer()
    house.write(tenant, chat, "Hello")
    await house.answers(tenant, chat, 1)
    await house.quiet(tenant)

    house.write(tenant, chat, "Thanks, I want to talk to a human")
    await until(lambda: house.rows("select 1 from follow_up_runs where state = 'cancelled'") != [])
    await house.quiet(tenant)

    states = house.rows("select state, reason from follow_ups order by scheduled_at")
    assert states[0] == {"state": "cancelled", "reason": "customer_wrote"}


async def test_at_most_three_messages_stay_unanswered(house: House):
    tenant = await house.a_business()
    await a_sequence(house, tenant, "Still interested?")
    chat = house.a_customer()
    house.write(tenant, chat, "Hello")
    await house.answers(tenant, chat, 1)
    await house.quiet(tenant)
    await house.execute("update contacts set automated_unanswered_count = 2")
    async with house.store.tenant_transaction(tenant.tenant_id) as transaction:
        steps = [{"delay_minutes": 60, "template": "Last call.", "condition": {}}]
        night = {"quiet_from": time(), "quiet_until": time()}
        other = await follow_up_sequences.create(transaction, tenant.tenant_id, {"name": "Offer"} | night, steps)
        contact_id = house.contact(tenant, chat)["id"]
        await follow_up_runs.assign(
            transaction, tenant.tenant_id, other, contact_id, started_by="test", at=datetime.now(UTC)
        )

    await due(house)
    await until(lambda: not house.rows("select 1 from follow_ups where state = 'due'"))
    await house.quiet(tenant)

    decided = house.rows("select state, reason from follow_ups order by state")
    assert decided == [
        {"state": "cancelled", "reason": "too_many_unanswered"},
        {"state": "sent", "reason": "due"},
    ]
    assert house.contact(tenant, chat)["automated_unanswered_count"] == 3


async def test_a_step_whose_condition_fails_is_left_out_and_the_next_one_comes(house: House):
    tenant = await house.a_business()
    await a_sequence(house, tenant, "For the best only", "For all")
    await house.execute('update follow_up_steps set condition = \'{"tags_all": ["best"]}\' where step = 1')
    chat = house.a_customer()
    house.write(tenant, chat, "Hello")
    await house.answers(tenant, chat, 1)
    await house.quiet(tenant)

    await due(house)
    await until(lambda: house.rows("select 1 from follow_ups where step = 2") != [])
    await due(house)
    texts = await house.answers(tenant, chat, 2)
    await house.quiet(tenant)

    assert texts[1] == "For all"
    reasons = house.rows("select state, reason from follow_ups order by step")
    assert reasons == [{"state": "dropped", "reason": "condition_not_met"}, {"state": "sent", "reason": "due"}]


async def test_a_run_keeps_the_version_it_began_with(house: House):
    tenant = await house.a_business()
    await a_sequence(house, tenant, "Old words")
    chat = house.a_customer()
    house.write(tenant, chat, "Hello")
    await house.answers(tenant, chat, 1)
    await house.quiet(tenant)
    (sequence,) = house.rows("select id from follow_up_sequences")
    async with house.store.tenant_transaction(tenant.tenant_id) as transaction:
        steps = [{"delay_minutes": 60, "template": "New words", "condition": {}}]
        await follow_up_sequences.change(transaction, tenant.tenant_id, sequence["id"], {}, steps)

    await due(house)
    texts = await house.answers(tenant, chat, 2)

    assert texts[1] == "Old words"


async def test_who_is_held_out_is_on_record_and_hears_nothing(house: House):
    tenant = await house.a_business()
    await a_sequence(house, tenant, "Still interested?")
    await house.execute("update follow_up_sequences set holdout_share = 0.9")
    for _ in range(6):
        chat = house.a_customer()
        house.write(tenant, chat, "Hello")
        await house.answers(tenant, chat, 1)
    await house.quiet(tenant)

    runs = house.rows("select id, state, reason, version from follow_up_runs")
    held = [run for run in runs if run["state"] == "held_out"]
    assert len(runs) == 6
    assert held
    assert all((run["reason"], run["version"]) == ("control group", 1) for run in held)
    planned = {row["run_id"] for row in house.rows("select run_id from follow_ups")}
    assert planned == {run["id"] for run in runs if run["state"] == "running"}
