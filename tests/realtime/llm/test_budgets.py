"""What a day's calls may cost is never spent twice, however many call at once."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import Any, cast
from uuid import uuid4

import pytest

from mychatflow.settings import Settings
from mychatflow.store.session import Store
from realtime.engine.pool import Pool, engine_pool
from realtime.llm.budgets import Budgets, Purse
from realtime.llm.contract import AllProvidersUnavailable, ReplyRequest, Target
from realtime.llm.embedding import Embedder
from realtime.llm.faults import Usage
from realtime.llm.listening import Listened, Listener
from realtime.llm.provider import Heard, Provider
from realtime.llm.router import Router
from tests.factories import a_tenant
from tests.realtime.llm.conftest import a_request, a_target

OPENAI = a_target("openai")


@pytest.fixture
async def pool(fresh: Settings) -> AsyncIterator[Pool]:
    async with engine_pool(fresh, name="test", size=8, patience_seconds=30) as opened:
        yield opened


async def spending(pool: Pool) -> dict[str, tuple[int, int]]:
    """Subject → reserved, spent."""
    async with pool.connection() as connection:
        found = await connection.execute("select subject, reserved_micro_usd, spent_micro_usd from llm_spending")
        return {row[0].partition(":")[0]: (row[1], row[2]) for row in await found.fetchall()}


async def told(pool: Pool) -> list[tuple[Any, ...]]:
    async with pool.connection() as connection:
        found = await connection.execute("select tenant_id, kind, is_urgent from notifications")
        return await found.fetchall()


async def price(pool: Pool) -> int:
    """What one usual request sets aside."""
    hold = await Budgets(pool=pool, providers={"openai": 10**9}).reserve(a_request("openai"), OPENAI)
    async with pool.connection() as connection:
        await connection.execute("delete from llm_spending")
    return hold.amount


async def test_two_hundred_callers_spend_money_for_ten(pool: Pool, store: Store) -> None:
    tenant, each = await a_tenant(store), await price(pool)
    request = a_request("openai", tenant_id=tenant.tenant_id, daily_budget_micro_usd=10 * each + each // 2)
    processes = [Budgets(pool=pool) for _ in range(4)]

    holds = await asyncio.gather(*(processes[n % 4].reserve(request, OPENAI) for n in range(200)))

    assert sum(hold is not None for hold in holds) == 10
    assert await spending(pool) == {"tenant": (10 * each, 0)}
    assert await told(pool) == [(tenant.tenant_id, "llm_budget", True)]


async def test_real_costs_take_the_reservations_place(pool: Pool, store: Store) -> None:
    tenant, each = await a_tenant(store), await price(pool)
    request = a_request("openai", tenant_id=tenant.tenant_id, daily_budget_micro_usd=2 * each)
    budgets = Budgets(pool=pool)
    first, second = [await budgets.reserve(request, OPENAI) for _ in range(2)]
    assert await budgets.reserve(request, OPENAI) is None

    await budgets.settle([(first, 7), (second, 0)])

    assert await spending(pool) == {"tenant": (0, 7)}
    assert await budgets.reserve(request, OPENAI) is not None
    # What its holder never settled stays counted: it may have been billed.
    assert await budgets.reserve(request, OPENAI) is None


async def test_four_fifths_of_the_days_money_are_told_once(pool: Pool, store: Store) -> None:
    tenant, each = await a_tenant(store), await price(pool)
    request = a_request("openai", tenant_id=tenant.tenant_id, daily_budget_micro_usd=10 * each)
    budgets = Budgets(pool=pool, providers={"openai": 10 * each})

    async def spend(cost: int) -> None:
        hold = await budgets.reserve(request, OPENAI)
        assert hold is not None
        await budgets.settle([(hold, cost)])

    await spend(8 * each - 1)
    assert await told(pool) == []

    await spend(1)
    await spend(1)

    assert await told(pool) == [(tenant.tenant_id, "llm_budget", True)]


async def test_a_tenant_and_a_provider_pay_together_or_not_at_all(pool: Pool, store: Store) -> None:
    tenant, each = await a_tenant(store), await price(pool)
    request = a_request("openai", tenant_id=tenant.tenant_id, daily_budget_micro_usd=100 * each)
    budgets = Budgets(pool=pool, providers={"openai": each})

    assert await budgets.reserve(request, OPENAI) is not None
    assert await budgets.reserve(request, OPENAI) is None

    assert await spending(pool) == {"tenant": (each, 0), "provider": (each, 0)}
    assert await told(pool) == []
    # A key of the tenant's own is not the house's money.
    own = Target(provider="openai", model=OPENAI.model, key_id="k1", api_key="theirs")
    assert await budgets.reserve(request, own) is not None


class _Vendor:
    """Listens and embeds for one price, and counts how often it was asked."""

    voice_model = "gpt-4o-mini-transcribe"

    def __init__(self) -> None:
        self.asked = 0

    async def hear(self, data: bytes, *, filename: str) -> Heard:
        self.asked += 1
        return Heard(text="two tables, please", usage=Usage(input_tokens=100, output_tokens=10))

    async def embed(self, texts: Sequence[str], *, model: str) -> tuple[list[list[float]], Usage]:
        self.asked += 1
        return [[1.0] for _ in texts], Usage(input_tokens=100)


async def test_voices_and_meanings_are_paid_from_the_same_money(pool: Pool, store: Store) -> None:
    tenant, vendor = await a_tenant(store), _Vendor()
    budgets, providers = Budgets(pool=pool), cast("dict[str, Provider]", {"openai": vendor})
    listener = Listener(providers, budgets)
    embedder = Embedder(providers, "text-embedding-3-small", budgets)
    purse, empty = (Purse(tenant_id=tenant.tenant_id, daily_budget_micro_usd=limit) for limit in (10_000, 1))

    heard = await listener.listen(b"v" * 20_000, filename="voice.ogg", purse=purse)
    meant = await embedder.of(["two tables"], seconds=60, purse=purse)

    assert heard.attempt is not None
    assert meant is not None
    assert await spending(pool) == {"tenant": (0, heard.attempt.cost_micro_usd + meant.attempt.cost_micro_usd)}
    assert await listener.listen(b"v" * 20_000, filename="voice.ogg", purse=empty) == Listened()
    assert await embedder.of(["two tables"], seconds=60, purse=empty) is None
    assert vendor.asked == 2
    assert await told(pool) == [(tenant.tenant_id, "llm_budget", True)]


async def test_without_a_budget_nothing_is_written(pool: Pool) -> None:
    hold = await Budgets(pool=pool).reserve(a_request("openai"), OPENAI)

    assert hold is not None
    assert await spending(pool) == {}


@pytest.fixture
async def budgeted(model_settings: Settings, pool: Pool, redis_client: Any) -> AsyncIterator[Router]:
    router = Router.from_settings(model_settings, pool=pool)
    yield router
    await router.close()


async def a_budgeted_request(store: Store, *providers: str, **changes: Any) -> ReplyRequest:
    tenant = await a_tenant(store)
    return a_request(*providers, tenant_id=tenant.tenant_id, **({"daily_budget_micro_usd": 10**7} | changes))


async def test_a_reply_books_what_all_its_calls_cost(budgeted: Router, models, pool: Pool, store: Store) -> None:
    models.fail("openai", "500")

    reply = await budgeted.reply(await a_budgeted_request(store, "openai", "anthropic"))

    assert [call.outcome for call in reply.attempts] == ["failed", "ok"]
    cost = sum(call.cost_micro_usd for call in reply.attempts)
    assert cost > 0
    assert await spending(pool) == {"tenant": (0, cost)}


async def test_a_request_beyond_the_budget_reaches_no_model(budgeted: Router, models, pool: Pool, store: Store) -> None:
    request = await a_budgeted_request(store, "openai", "anthropic", daily_budget_micro_usd=1)

    with pytest.raises(AllProvidersUnavailable) as refused:
        await budgeted.reply(request)

    assert (refused.value.attempts, refused.value.retry_at) == ((), None)
    assert models.calls() == []
    assert await told(pool) == [(request.tenant_id, "llm_budget", True)]


async def test_the_next_provider_answers_when_ones_money_is_used_up(
    budgeted: Router, models, pool: Pool, store: Store
) -> None:
    budgeted.budgets.providers = {"openai": 1}

    reply = await budgeted.reply(a_request("openai", "anthropic", tenant_id=uuid4()))

    assert reply.provider == "anthropic"
    assert len(models.calls("openai")) == 0
