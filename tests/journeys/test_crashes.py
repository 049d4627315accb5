"""Workers that die at the worst moments: the customer sees one answer all the same."""

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import psycopg
import pytest
import redis.asyncio

from mychatflow.settings import Settings
from mychatflow.store.session import Store
from realtime.engine.claim import MOST_DEATHS
from realtime.webhooks.whatsapp import PATH
from tests.factories import a_contact
from tests.fakes.llm import FakeModels, answer_json
from tests.fakes.llm_wire import Call, Said
from tests.fakes.waha import QUICK, FakeWaha
from tests.journeys.conftest import House, until, varied
from tests.journeys.test_files_by_hand import a_desk, post
from tests.journeys.test_media import PIXEL
from tests.journeys.test_reply_parts import LONG, PARTS
from tests.realtime.webhooks.conftest import serving

pytestmark = pytest.mark.journey
_CHECKOUT = Path(__file__).parents[2]
ANSWER = "Thank you, how may we help?"


@pytest.fixture
async def crash_house(
    house_settings: Settings,
    store: Store,
    gateway: FakeWaha,
    models: FakeModels,
    redis_client: redis.asyncio.Redis,
) -> AsyncIterator[House]:
    """A house without a worker: those are processes that the test starts and kills."""
    assert await redis_client.ping()
    async with serving(house_settings) as (base_url, _web):
        yield House(
            settings=house_settings,
            store=store,
            gateway=gateway,
            models=models,
            webhook_url=base_url + PATH,
            worker=None,
        )


@contextlib.asynccontextmanager
async def a_worker(house: House, *, index: int = 1) -> AsyncIterator[asyncio.subprocess.Process]:
    """`python -m realtime.worker`, as a supervisor starts it."""
    environment = os.environ | {
        "MYCHATFLOW_DATA_DIR": str(house.settings.data_dir),
        "DATABASE_URL": house.settings.role_url("app"),
        "WAHA_BASE_URL": house.gateway.base_url,
        "WAHA_API_KEY": house.gateway.api_key,
        "OPENAI_API_KEY": "fake-key-openai",
        "OPENAI_BASE_URL": f"{house.models.base_url}/v1",
        "WEBHOOK_SECRET": "test-hmac-key",
        "LOG_LEVEL": "warning",
    }
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "realtime.worker", "--index", str(index), env=environment, cwd=_CHECKOUT
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.terminate()
            await process.wait()


async def killed(process: asyncio.subprocess.Process) -> None:
    process.send_signal(signal.SIGKILL)
    await process.wait()


async def answered_once(house: House, tenant, chat: str, *, index: int = 1) -> None:
    async with a_worker(house, index=index):
        await house.answers(tenant, chat, 1, within=60)
        await house.quiet(tenant, within=60)
    assert house.texts(tenant, chat) == [ANSWER]
    assert len(house.events(tenant, "message_sent")) == 1
    assert len(house.events(tenant, "message_received")) == 1
    assert house.contact(tenant, chat)["lead_inbound_count"] == 1
    (day,) = house.rows("select used from usage_days where tenant_id = %(t)s", t=tenant.tenant_id)
    assert day["used"] == 1


async def test_killed_while_the_model_thinks(crash_house: House):
    house = crash_house
    tenant, chat = await house.a_business(), house.a_customer()
    house.models.providers["openai"].latency = 30

    async with a_worker(house) as worker:
        house.write(tenant, chat, "Hello")
        await until(lambda: house.events(tenant, "message_received") != [])
        await killed(worker)
    house.models.providers["openai"].latency = 0

    await answered_once(house, tenant, chat)


async def test_killed_with_the_answer_not_stored(crash_house: House):
    house = crash_house
    tenant, chat = await house.a_business(), house.a_customer()
    house.models.providers["openai"].latency = 1

    async with a_worker(house) as worker:
        house.write(tenant, chat, "Hello")
        await until(lambda: house.events(tenant, "message_received") != [])
        with psycopg.connect(house.settings.role_url("engine")) as blocker:
            blocker.execute("select 1 from chat_leases for update")
            await until(lambda: len(house.models.calls()) == 1)
            await asyncio.sleep(0.3)
            await killed(worker)
    house.models.providers["openai"].latency = 0

    await answered_once(house, tenant, chat)


@pytest.mark.parametrize("fault", ["hang_before", "hang_after"])
async def test_killed_while_the_gateway_is_called(crash_house: House, fault: str):
    house = crash_house
    tenant, chat = await house.a_business(), house.a_customer()
    house.gateway.faults.plan(fault, seconds=30)

    async with a_worker(house) as worker:
        house.write(tenant, chat, "Hello")
        await until(lambda: house.gateway.faults.fired[fault] == 1)
        await until(lambda: house.rows("select 1 from outbox where state = 'sending'") != [])
        await killed(worker)

    await answered_once(house, tenant, chat)
    (row,) = house.rows("select wa_message_id from outbox")
    assert {attempt.message_id for attempt in house.gateway.attempts} == {row["wa_message_id"]}


@pytest.mark.parametrize("fault", ["hang_before", "hang_after"])
async def test_killed_while_a_file_is_under_way(crash_house: House, fault: str):
    house = crash_house
    tenant, chat = await house.a_business(), house.a_customer()
    contact_id = await a_contact(house.store, tenant, wa_id=chat)
    house.gateway.faults.plan(fault, path="/api/sendImage", seconds=30)

    async with a_desk(house, tenant) as api, a_worker(house) as worker:
        await post(api, contact_id, PIXEL, "image/png", caption="Our shop")
        await until(lambda: house.gateway.faults.fired[fault] == 1)
        await killed(worker)
    # Nobody tries again before any send must have ended; the test need not wait for that.
    await house.execute("update outbox set next_try_at = now()")

    async with a_worker(house):
        await until(lambda: house.rows("select 1 from outbox where state = 'sent'") != [])
        await house.quiet(tenant, within=60)
    assert house.texts(tenant, chat) == ["Our shop"]
    assert len(house.gateway.attempts) == 1
    assert len(house.events(tenant, "message_sent")) == 1


@pytest.mark.parametrize("fault", ["hang_before", "hang_after"])
async def test_killed_in_the_middle_of_a_long_reply(crash_house: House, fault: str):
    house = crash_house
    tenant, chat = await house.a_business(reply_split_enabled=True), house.a_customer()
    house.models.say("openai", answer_json(LONG))

    async with a_worker(house) as worker:
        house.write(tenant, chat, "How does a visit go?")
        await house.answers(tenant, chat, 1, within=60)
        house.gateway.faults.plan(fault, seconds=30)
        await until(lambda: house.gateway.faults.fired[fault] == 1)
        await killed(worker)

    async with a_worker(house):
        await house.answers(tenant, chat, 3, within=60)
        await house.quiet(tenant, within=60)
    assert house.texts(tenant, chat) == PARTS
    assert len(house.events(tenant, "message_sent")) == 3


async def test_killed_with_the_mark_lost(crash_house: House):
    house = crash_house
    tenant, chat = await house.a_business(), house.a_customer()
    house.gateway.faults.plan("late", seconds=1)

    async with a_worker(house) as worker:
        house.write(tenant, chat, "Hello")
        await until(lambda: house.gateway.faults.fired["late"] == 1)
        with psycopg.connect(house.settings.role_url("engine")) as blocker:
            blocker.execute("select 1 from outbox for update")
            await until(lambda: house.texts(tenant, chat) == [ANSWER])
            await asyncio.sleep(1.2)
            await killed(worker)
            # Its statement waits in the server still, and must not be carried out when the way is free.
            blocker.execute(
                "select pg_terminate_backend(pid) from pg_stat_activity"
                " where wait_event_type = 'Lock' and datname = current_database()"
            )

    await answered_once(house, tenant, chat)
    assert len(house.gateway.attempts) == 2


async def test_another_worker_takes_over_when_the_lease_runs_out(crash_house: House):
    house = crash_house
    tenant, chat = await house.a_business(), house.a_customer()
    house.models.providers["openai"].latency = 30

    async with a_worker(house, index=1) as worker:
        house.write(tenant, chat, "Hello")
        await until(lambda: house.events(tenant, "message_received") != [])
        await killed(worker)
    house.models.providers["openai"].latency = 0

    await answered_once(house, tenant, chat, index=2)


async def test_a_message_that_kills_its_workers_is_put_aside(crash_house: House):
    house = crash_house
    tenant, chat, other = await house.a_business(), house.a_customer(), house.a_customer()
    victims: list[int] = []

    def deadly(call: Call) -> Said:
        if "poison" in call.messages[-1][1]:
            os.kill(victims[-1], signal.SIGKILL)
        return answer_json(ANSWER)

    house.models.providers["openai"].script = deadly
    house.write(tenant, chat, "poison")
    for _ in range(3):
        async with a_worker(house) as worker:
            victims.append(worker.pid)
            await worker.wait()
    # The third death is counted by whoever comes next.
    assert [row["deaths"] for row in house.rows("select deaths from inbox where lane = 'message'")] == [2]
    await house.execute("update inbox set deaths = %(so_far)s where lane = 'message'", so_far=MOST_DEATHS - 1)

    async with a_worker(house):
        house.write(tenant, other, "Hello")
        assert await house.answers(tenant, other, 1, within=60) == [ANSWER]
        await until(lambda: house.rows("select 1 from inbox where state = 'parked'") != [])
        house.write(tenant, chat, "Are you there?")
        assert await house.answers(tenant, chat, 1, within=60) == [ANSWER]
        await house.quiet(tenant)
    (parked,) = house.rows("select chat_id, last_error from inbox where state = 'parked'")
    assert parked == {"chat_id": chat, "last_error": "WorkerDied"}


async def test_a_frozen_worker_wakes_too_late(crash_house: House):
    house = crash_house
    tenant, chat = await house.a_business(), house.a_customer()
    house.models.providers["openai"].latency = 0.5

    async with a_worker(house, index=1) as frozen:
        house.write(tenant, chat, "Hello")
        await until(lambda: house.events(tenant, "message_received") != [])
        frozen.send_signal(signal.SIGSTOP)
        async with a_worker(house, index=2):
            await house.answers(tenant, chat, 1, within=60)
            frozen.send_signal(signal.SIGCONT)
            await asyncio.sleep(2)
            await house.quiet(tenant, within=60)

    assert house.texts(tenant, chat) == [ANSWER]
    assert len(house.events(tenant, "message_sent")) == 1


async def test_without_ids_the_history_tells_what_arrived(
    house_settings: Settings, store: Store, models: FakeModels, redis_client: redis.asyncio.Redis
):
    assert await redis_client.ping()
    async with FakeWaha.running(engine="WEBJS", pace=QUICK) as gateway, serving(house_settings) as (base_url, _web):
        settings = varied(house_settings, waha_base_url=gateway.base_url)
        house = House(
            settings=settings, store=store, gateway=gateway, models=models, webhook_url=base_url + PATH, worker=None
        )
        tenant, chat = await house.a_business(engine="WEBJS"), house.a_customer()
        gateway.faults.plan("hang_after", seconds=30)
        async with a_worker(house) as worker:
            house.write(tenant, chat, "Hello")
            await until(lambda: gateway.faults.fired["hang_after"] == 1)
            await killed(worker)
        await answered_once(house, tenant, chat)
        assert len(gateway.attempts) == 1
