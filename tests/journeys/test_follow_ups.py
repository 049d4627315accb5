"""Follow-ups after a reply that stays unanswered."""

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
