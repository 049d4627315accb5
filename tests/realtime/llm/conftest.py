"""Our fake model server, and a router that asks it over HTTP with its breaker in a real Redis."""

import uuid
from collections.abc import AsyncIterator, Callable, Iterator

import pytest
import redis.asyncio

from mychatflow.settings import Settings
from realtime.llm import breaker
from realtime.llm.contract import ReplyRequest, Target, Turn
from realtime.llm.router import Router
from tests.fakes.llm import FakeModels

MODELS = {"openai": "gpt-4o-mini", "anthropic": "claude-haiku-4-5", "gemini": "gemini-2.0-flash"}


def a_target(provider: str) -> Target:
    return Target(provider=provider, model=MODELS.get(provider, provider))


def a_request(*providers: str, **changes) -> ReplyRequest:
    """A customer's greeting to those providers, in that order; hedging off unless asked for."""
    usual = {
        "tenant_id": uuid.uuid4(),
        "turn_id": uuid.uuid4(),
        "system": "You answer for a barber shop.",
        "messages": (Turn(role="user", text="Hello, are you open today?"),),
        "targets": tuple(a_target(provider) for provider in providers),
        "attempt_timeout": 2.0,
        "total_timeout": 5.0,
        "hedging": False,
    }
    return ReplyRequest(**(usual | changes))


@pytest.fixture(scope="session")
def served_models() -> Iterator[FakeModels]:
    with FakeModels().serve() as models:
        yield models


@pytest.fixture
def models(served_models: FakeModels) -> FakeModels:
    """The fake, in good health and with an empty journal."""
    served_models.heal()
    served_models.forget()
    return served_models


@pytest.fixture
def model_settings(models: FakeModels, settings: Settings) -> Settings:
    return Settings(_env_file=None, MYCHATFLOW_DATA_DIR=settings.data_dir, **models.settings())


@pytest.fixture
async def router(model_settings: Settings, redis_client: redis.asyncio.Redis) -> AsyncIterator[Router]:
    router = Router.from_settings(model_settings)
    yield router
    await router.close()


@pytest.fixture
async def breaker_client(redis_url: str, redis_client: redis.asyncio.Redis) -> AsyncIterator[redis.asyncio.Redis]:
    client = breaker.connect(redis_url)
    yield client
    await client.aclose()


@pytest.fixture
def a_breaker(breaker_client: redis.asyncio.Redis) -> Callable[..., breaker.Breaker]:
    """Makes breakers as separate processes have them: one Redis, nothing else in common."""
    return lambda **changes: breaker.Breaker(client=breaker_client, **changes)
