"""The short version of `make chaos` that every commit passes."""

import pytest

from tests.chaos.run import Plan, run


@pytest.mark.journey
@pytest.mark.timeout(400)
async def test_nothing_is_lost_or_doubled_while_processes_die() -> None:
    outcome = await run(Plan(messages=300, least_kills=20))

    assert outcome.has_struck, str(outcome)
    assert outcome.holds, str(outcome)


@pytest.mark.journey
@pytest.mark.timeout(400)
async def test_a_gateway_that_forgets_ids_is_seen_to_double() -> None:
    outcome = await run(Plan(messages=60, least_kills=0, lost_answers=0.3, gateway_keeps_ids=False))

    assert outcome.lost_answers > 0
    assert outcome.verdict.doubled
