"""Every scenario of this folder, played by the real agent between a fake gateway and scripted models.

This measures our pipeline, all of which must pass; it says nothing about how well a model answers.
"""

from collections.abc import AsyncIterator

import pytest
import redis.asyncio

from mychatflow.local.postgres import EmbeddedPostgres
from mychatflow.rules.gates import GateReason
from mychatflow.rules.guard import GuardReason
from mychatflow.settings import Settings
from mychatflow.store.session import Store
from tests.conftest import a_database
from tests.fakes.llm import FakeModels
from tests.fakes.waha import QUICK, FakeWaha
from tests.journeys.conftest import House, _served_models, a_house, with_vendors
from tests.scenarios import stage
from tests.scenarios.script import Scenario, all_scenarios

SCENARIOS = all_scenarios()
served_models = _served_models


@pytest.fixture(scope="module")
async def house(
    settings: Settings, postgres: EmbeddedPostgres, redis_url: str, served_models: FakeModels
) -> AsyncIterator[House]:
    """One for all: each scenario has a business and a customer of its own."""
    with a_database(settings, postgres) as database:
        store = Store(database)
        async with (
            FakeWaha.running(pace=QUICK) as gateway,
            a_house(with_vendors(database, gateway, served_models), store, gateway, served_models) as house,
        ):
            yield house
        await store.close()


@pytest.fixture(autouse=True)
async def no_breaker_remembers(redis_url: str) -> None:
    async with redis.asyncio.Redis.from_url(redis_url) as client:
        await client.flushall()


@pytest.mark.parametrize("scenario", SCENARIOS)
async def test_the_agent_does_as_the_scenario_says(house: House, scenario: Scenario):
    await stage.play(house, scenario)


# What never becomes a turn, and what is told by its confirmation instead.
SILENT = {"duplicate", "own_message", "not_a_chat", "not_answerable", "opted_out_now", "opted_in_now", "answered"}


def test_every_gate_has_its_scenario():
    shown = {reason for scenario in SCENARIOS for reason in scenario.values[0].expect.skipped}

    assert {*GateReason} - SILENT - {"handoff_requested"} <= shown


def test_every_check_of_a_reply_has_its_scenario():
    shown = {why for scenario in SCENARIOS for why in scenario.values[0].expect.checks or ()}

    assert {*GuardReason} - {"passed", "too_long"} <= shown


def test_there_are_enough_scenarios():
    assert len(SCENARIOS) >= 90
