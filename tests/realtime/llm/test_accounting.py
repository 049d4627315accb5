"""A call costs whole millionths of a dollar, by the prices of its day."""

from datetime import UTC, datetime, timedelta

import pytest

from mychatflow.rules import model_prices
from realtime.llm import accounting, budgets
from realtime.llm.faults import Usage
from tests.realtime.llm.conftest import a_request


@pytest.mark.parametrize(
    ("usage", "micro_usd"),
    [
        (Usage(), 0),
        (Usage(input_tokens=1_000_000), 150_000),
        (Usage(input_tokens=1_000_000, cached_tokens=1_000_000), 75_000),
        (Usage(output_tokens=1_000_000), 600_000),
        (Usage(input_tokens=1000, cached_tokens=400, output_tokens=100), 180),
        (Usage(output_tokens=1), 1),
        (Usage(input_tokens=3), 0),
        (Usage(input_tokens=10, cached_tokens=99), 7),
        (Usage(input_tokens=1_000_000, written_tokens=1_000_000), 187_500),
        (Usage(input_tokens=2_000_000, cached_tokens=1_000_000, written_tokens=800_000), 255_000),
    ],
)
def test_tokens_cost_what_the_list_says(usage, micro_usd):
    cost = accounting.cost_of(usage, provider="openai", model="gpt-4o-mini", at=datetime(2026, 3, 1, tzinfo=UTC))

    assert (cost.micro_usd, cost.price_version, cost.is_estimated) == (micro_usd, "2026-01-01", False)


def test_what_is_set_aside_covers_a_cache_that_is_cold():
    request = a_request("anthropic")
    [target] = request.targets
    asked = accounting.prompt_tokens(request)
    usage = Usage(input_tokens=asked, written_tokens=asked, output_tokens=request.max_tokens)

    dearest = accounting.cost_of(usage, provider="anthropic", model=target.model, at=datetime.now(UTC))

    assert budgets._most(request, target) == dearest.micro_usd


@pytest.mark.parametrize(
    ("at", "version"),
    [
        (datetime(2020, 1, 1, tzinfo=UTC), "2026-01-01"),
        (datetime(2026, 10, 31, 23, 59, 59, tzinfo=UTC), "2026-01-01"),
        (datetime(2026, 11, 1, tzinfo=UTC), "2026-11-01"),
        (datetime(2026, 11, 24, tzinfo=UTC), "2026-11-01"),
        (datetime(2026, 11, 25, tzinfo=UTC), "2026-11-25"),
        (datetime(2030, 1, 1, tzinfo=UTC), "2026-11-26"),
    ],
)
def test_an_instant_has_one_price_list(at, version):
    assert accounting.cost_of(Usage(), provider="openai", model="gpt-4o", at=at).price_version == version


def test_a_price_may_change_at_noon():
    noon = datetime(2026, 11, 24, 12, tzinfo=UTC)
    before, after = (
        model_prices.PriceList(version=name, since=since, models={})
        for name, since in (("old", noon - timedelta(days=90)), ("new", noon))
    )

    found = [model_prices.in_force((before, after), noon + timedelta(seconds=late)).version for late in (-1, 0, 1)]

    assert found == ["old", "new", "new"]


def test_an_unlisted_model_is_priced_and_flagged():
    cost = accounting.cost_of(
        Usage(input_tokens=1_000_000), provider="gemini", model="gemini-9", at=datetime(2026, 11, 24, tzinfo=UTC)
    )

    assert (cost.micro_usd, cost.is_estimated) == (1_500_000, True)


def test_the_sandbox_is_free():
    cost = accounting.cost_of(
        Usage(input_tokens=10**6), provider="sandbox", model="quick-replies", at=datetime(2026, 11, 24, tzinfo=UTC)
    )

    assert (cost.micro_usd, cost.is_estimated) == (0, False)


@pytest.mark.parametrize(("text", "tokens"), [("", 0), ("abcd", 1), ("abcde", 2), ("日本語", 3)])
def test_four_bytes_are_a_token(text, tokens):
    assert accounting.tokens_in(text) == tokens


def test_a_lone_surrogate_is_counted_too():
    assert accounting.prompt_tokens(a_request(system="\ud800")) > 0
