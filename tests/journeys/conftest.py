"""A whole installation in one process: webhook, worker, fake gateway, fake models, a real Postgres and Redis."""

import asyncio
import contextlib
import itertools
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import psycopg
import pytest
import redis.asyncio

from mychatflow.settings import Settings
from mychatflow.store.cipher import KeyRing
from mychatflow.store.session import Store
from realtime.llm.router import Router
from realtime.webhooks.whatsapp import PATH
from realtime.worker import Worker
from tests import asking
from tests.factories import Tenant, a_tenant
from tests.fakes.llm import FakeModels, answer_json
from tests.fakes.waha import QUICK, FakeWaha
from tests.realtime.webhooks.conftest import serving

KEY = "test-hmac-key"
# A shorter text may stand in a log for other reasons.
_LONG_ENOUGH = 12
_customers = itertools.count(34_611_000_000)


@dataclass(slots=True, kw_only=True)
class House:
    """One running product with everything around it, and what a test asks of it."""

    settings: Settings
    store: Store
    gateway: FakeWaha
    models: FakeModels
    webhook_url: str
    worker: Worker
    # What no log may repeat.
    private: list[str] = field(default_factory=lambda: [KEY, "fake-key-"])

    async def a_business(self, **values: Any) -> Tenant:
        """A tenant whose number is a session of the gateway."""
        tenant = await a_tenant(self.store, **({"typing_indicator_enabled": False} | values))
        await self.gateway.a_session(tenant.session, webhook_url=self.webhook_url, hmac_key=KEY)
        return tenant

    def a_customer(self) -> str:
        number = next(_customers)
        self.private.append(str(number))
        return f"{number}@c.us"

    def write(self, tenant: Tenant, chat: str, text: str, **given: Any) -> Any:
        if len(text) >= _LONG_ENOUGH:
            self.private.append(text)
        return self.gateway.send_from(chat, text, session=tenant.session, **given)

    async def answers(self, tenant: Tenant, chat: str, count: int, *, within: float = 40.0) -> list[str]:
        await self.gateway.until_delivered(chat, count, session=tenant.session, within=within)
        return self.gateway.texts(chat, session=tenant.session)

    def texts(self, tenant: Tenant, chat: str) -> list[str]:
        return self.gateway.texts(chat, session=tenant.session)

    async def quiet(self, tenant: Tenant, *, within: float = 40.0) -> None:
        """Until every webhook call ended and nothing of the tenant is open, due or held."""
        await self.gateway.settled(within=within)
        open_work = """
            select
                (select count(*) from inbox where tenant_id = %(t)s and state = 'open')
                + (select count(*) from outbox where tenant_id = %(t)s and state in ('pending', 'sending', 'ambiguous'))
                + (select count(*) from chat_leases where tenant_id = %(t)s
                    and (due_at is not null or leased_until is not null)) as count
        """
        await until(lambda: self.rows(open_work, t=tenant.tenant_id)[0]["count"] == 0, within=within)

    def rows(self, sql: str, **parameters: Any) -> list[dict[str, Any]]:
        return asking.rows(self.settings.role_url("engine"), sql, parameters)

    async def execute(self, sql: str, **parameters: Any) -> None:
        """In a thread: the worker that may hold a lock on the row runs in this event loop."""
        await asyncio.to_thread(self._execute, sql, parameters)

    def _execute(self, sql: str, parameters: dict[str, Any]) -> None:
        with psycopg.connect(self.settings.role_url("engine")) as connection:
            connection.execute(sql, parameters)

    def events(self, tenant: Tenant, event_type: str) -> list[dict[str, Any]]:
        return self.rows(
            "select * from analytics_events where tenant_id = %(t)s and event_type = %(k)s order by occurred_at",
            t=tenant.tenant_id,
            k=event_type,
        )

    def contact(self, tenant: Tenant, chat: str) -> dict[str, Any]:
        return self.rows(
            "select * from contacts where tenant_id = %(t)s and wa_id = %(w)s", t=tenant.tenant_id, w=chat
        )[0]

    def opened(self, tenant: Tenant, row: dict[str, Any]) -> str:
        """The text of an interaction."""
        keys = self.rows("select id, wrapped_key from tenant_keys where tenant_id = %(t)s", t=tenant.tenant_id)
        cipher = KeyRing(self.settings.master).remember(
            tenant.tenant_id, {key["id"]: key["wrapped_key"] for key in keys}
        )
        return cipher.decrypt(row["content"], row_id=row["id"])


async def until(is_true: Callable[[], bool], *, within: float = 60.0) -> None:
    async with asyncio.timeout(within):
        while not is_true():  # noqa: ASYNC110  (what is awaited is state, not an event)
            await asyncio.sleep(0.02)


@contextlib.contextmanager
def served_models() -> Iterator[FakeModels]:
    """The fake, with the vendors' packages imported.

    They take seconds, and a loop that stands still for so long loses the connections that its pool has begun: Postgres
    keeps each for a minute, and drops no database meanwhile.
    """
    with FakeModels().serve() as models:
        Router.from_settings(Settings(_env_file=None, **models.settings()))
        yield models


@pytest.fixture(scope="session")
def _served_models() -> Iterator[FakeModels]:
    with served_models() as models:
        yield models


def reset(models: FakeModels) -> FakeModels:
    """Healthy models that say the usual thing, and nothing on record."""
    models.heal()
    models.forget()
    for name in models.providers:
        models.say(name, answer_json("Thank you, how may we help?"))
    return models


@pytest.fixture
def models(_served_models: FakeModels) -> FakeModels:
    return reset(_served_models)


@pytest.fixture
async def gateway() -> AsyncIterator[FakeWaha]:
    async with FakeWaha.running(pace=QUICK) as fake:
        yield fake


@pytest.fixture
def house_settings(fresh: Settings, gateway: FakeWaha, models: FakeModels) -> Settings:
    return with_vendors(fresh, gateway, models)


def with_vendors(settings: Settings, gateway: FakeWaha, models: FakeModels) -> Settings:
    """The installation, with keys and addresses of the fakes."""
    keys = models.settings("openai", "anthropic")
    return varied(settings, **keys, waha_base_url=gateway.base_url, waha_api_key=gateway.api_key)


def varied(settings: Settings, **changes: Any) -> Settings:
    """The same installation with some settings changed."""
    fields = type(settings).model_fields
    given = settings.model_dump() | changes
    return type(settings)(
        _env_file=None, **{fields[name].validation_alias or name: value for name, value in given.items()}
    )


@contextlib.asynccontextmanager
async def working(settings: Settings, *, index: int = 1) -> AsyncIterator[Worker]:
    worker = Worker(settings, index=index)
    running = asyncio.create_task(worker.run())
    try:
        yield worker
    finally:
        worker.stop()
        await running


@contextlib.asynccontextmanager
async def a_house(
    settings: Settings, store: Store, gateway: FakeWaha, models: FakeModels, *, port: int = 0
) -> AsyncIterator[House]:
    async with serving(settings, port=port) as (base_url, _web), working(settings) as worker:
        yield House(
            settings=settings,
            store=store,
            gateway=gateway,
            models=models,
            webhook_url=base_url + PATH,
            worker=worker,
        )


@pytest.fixture
async def house(
    house_settings: Settings,
    store: Store,
    gateway: FakeWaha,
    models: FakeModels,
    redis_client: redis.asyncio.Redis,
    capsys: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
) -> AsyncIterator[House]:
    """Whatever a journey is about, its logs hold no number, no message and no key."""
    assert await redis_client.ping()
    async with a_house(house_settings, store, gateway, models) as house:
        yield house
    told = capsys.readouterr()
    # For whoever reads why a test failed.
    sys.stdout.write(told.out)
    sys.stderr.write(told.err)
    assert [each for each in house.private if each in told.out + told.err + caplog.text] == []
