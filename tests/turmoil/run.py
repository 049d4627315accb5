"""A run of turmoil: open businesses, let everybody do as they please for a while, wait for quiet, and judge."""

import asyncio
import random
import tempfile
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import psycopg
from aiohttp import web

from mychatflow.local.phone.records import Message, SessionStatus
from mychatflow.local.postgres import EmbeddedPostgres
from mychatflow.settings import DATABASE, Settings
from mychatflow.store import schema
from mychatflow.store.session import Store
from tests.chaos import cluster, numbers, witness
from tests.fakes.llm import FakeModels, answer_json
from tests.fakes.llm_wire import Call
from tests.fakes.waha import API_KEY, FakeWaha
from tests.turmoil import business, laws, memory
from tests.turmoil.business import Business
from tests.turmoil.customers import Customer
from tests.turmoil.owner import Owner
from tests.turmoil.person import Person
from tests.turmoil.team import Colleague
from tests.turmoil.trouble import Trouble

_MODEL_SECONDS: Final = 0.2
_QUIET_SECONDS: Final = 90.0
_LAST_SHARE: Final = 0.3
# What was told while nobody listened is found in the numbers' histories, and nothing goes slowly any more.
_CALM: Final = """
update instances set catch_up_due_at = now(), sends_per_minute = 6000;
update settings set auto_reply_enabled = true, freshness_minutes = 1440, debounce_ms = 0;
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """Everything random comes from the seed, but for what happens to meet what."""

    seconds: float = 20
    businesses: int = 2
    colleagues: int = 2
    kills: bool = False
    seed: int = 7


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """`done` is what happened how often; whatever stands in `broken` should be empty."""

    done: Counter[str]
    broken: dict[str, Sequence[object]]

    @property
    def holds(self) -> bool:
        return not self.broken


async def run(plan: Plan) -> Outcome:
    """Raises TimeoutError only when the product never comes up; everything else is in the outcome."""
    async with AsyncExitStack() as stack:
        directory = stack.enter_context(tempfile.TemporaryDirectory(prefix="mcf-turmoil-", ignore_cleanup_errors=True))
        models = stack.enter_context(FakeModels().serve())
        _answer(models)
        gateway = await stack.enter_async_context(FakeWaha.running(api_key=API_KEY))
        settings = cluster.settings_in(Path(directory))
        environment = cluster.environment(settings, gateway, models) | {"WEBHOOK_INSTANCE_RATE": "100000/minute"}
        keepers = cluster.keepers(settings, environment, workers=2)
        stack.callback(lambda: [keeper.close() for keeper in reversed(keepers.values())])
        store = Store(settings)
        stack.push_async_callback(store.close)
        shops = await _open(keepers, settings, store, gateway, plan)
        scene = _Scene(plan=plan, settings=settings, gateway=gateway, shops=shops)
        trouble = Trouble(
            store=store,
            gateway=gateway,
            models=models,
            businesses=shops,
            keepers=keepers if plan.kills else {},
            chance=scene.a_chance(),
            done=scene.done,
        )
        await scene.play(trouble)
        await _calm(settings, gateway, models, shops)
        return Outcome(done=scene.done, broken=await _judged(scene, environment))


@dataclass(slots=True, kw_only=True)
class _Scene:
    """Who takes part, and what they did and met."""

    plan: Plan
    settings: Settings
    gateway: FakeWaha
    shops: Sequence[Business]
    done: Counter[str] = field(default_factory=Counter)
    written: list[Message] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)
    _seeds: random.Random = field(init=False)

    def __post_init__(self) -> None:
        self._seeds = random.Random(self.plan.seed)

    def a_chance(self) -> random.Random:
        return random.Random(self._seeds.random())

    async def play(self, trouble: Trouble) -> None:
        until = time.monotonic() + self.plan.seconds
        # One business does not last: its customers and colleagues go on as if it did.
        ends = {self.shops[-1].name: until - self.plan.seconds * _LAST_SHARE}
        async with _listening() as listener:
            customers = [self._customer(shop, chat) for shop in self.shops for chat in shop.chats]
            team = [each for shop in self.shops for each in self._people(shop, listener, ends.get(shop.name))]
            await asyncio.gather(
                trouble.strike(until), *(each.live(until) for each in customers), *(each.work(until) for each in team)
            )

    def _customer(self, shop: Business, chat: str) -> Customer:
        about = {"gateway": self.gateway, "business": shop, "chat": chat, "chance": self.a_chance()}
        return Customer(**about, written=self.written, done=self.done)

    def _people(self, shop: Business, listener: str, ends_at: float | None) -> Iterator[Person]:
        url = f"http://127.0.0.1:{self.settings.web_port}"
        about: dict[str, Any] = {"url": url, "business": shop, "listener": listener}
        about |= {"done": self.done, "failures": self.failures}
        yield Owner(**about, chance=self.a_chance(), ends_at=ends_at)
        for _ in range(self.plan.colleagues):
            yield Colleague(**about, chance=self.a_chance())


async def _judged(scene: _Scene, environment: dict[str, str]) -> dict[str, Sequence[object]]:
    """The laws that do not hold once all is quiet, or will not become so."""
    admin_url = EmbeddedPostgres(scene.settings).admin_url(DATABASE)
    await _until_quiet(scene.gateway, admin_url)
    broken: dict[str, Sequence[object]] = dict(await asyncio.to_thread(laws.broken, admin_url))
    broken |= memory.broken(scene.settings, scene.gateway, scene.shops, scene.written)
    broken["what is counted is what there is"] = witness.miscounted(scene.settings)
    broken["the API fails for nobody"] = scene.failures
    broken["no log tells of a failure that nobody expected"] = _failures(scene.settings)
    reconciled = await asyncio.to_thread(numbers.reconcile, environment)
    broken["the warehouse knows what Postgres knows"] = [] if reconciled.is_exact else [reconciled]
    return {law: found for law, found in broken.items() if found}


async def _open(
    keepers: dict[str, cluster.Keeper], settings: Settings, store: Store, gateway: FakeWaha, plan: Plan
) -> list[Business]:
    for name in ("postgres", "redis"):
        await asyncio.to_thread(keepers[name].open)
    await asyncio.to_thread(schema.migrate, settings, today=datetime.now(UTC).date())
    shops = [await business.a_business(store, number) for number in range(plan.businesses)]
    for name, keeper in keepers.items():
        if name not in {"postgres", "redis"}:
            keeper.open()
    await _ready(settings)
    for shop in shops:
        await business.connect(gateway, shop, webhook_url=settings.webhook_url)
    return shops


async def _ready(settings: Settings) -> None:
    address = f"http://127.0.0.1:{settings.web_port}/ready"
    await asyncio.to_thread(cluster.wait_until, lambda: cluster.answers(address), seconds=60, what="web is ready")


def _answer(models: FakeModels) -> None:
    """Mostly to the point; at times the model passes it on, does not know, or writes something else altogether."""
    chance = random.Random(0)

    def script(call: Call) -> str:
        odd = {0: answer_json("", action="handoff"), 1: answer_json("I do not know.", action="clarify"), 2: "garbage"}
        return odd.get(chance.randrange(30), answer_json(f"About that: {call.question[-60:]}"))

    for name, provider in models.providers.items():
        provider.latency = _MODEL_SECONDS
        models.say(name, script)


@asynccontextmanager
async def _listening() -> AsyncIterator[str]:
    """A business's own program, that takes nine facts of ten."""
    chance = random.Random(0)

    async def take(_: web.Request) -> web.Response:
        return web.Response(status=500 if chance.random() < 0.1 else 200)

    app = web.Application()
    app.router.add_post("/{tail:.*}", take)
    runner = web.AppRunner(app, shutdown_timeout=1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


async def _calm(settings: Settings, gateway: FakeWaha, models: FakeModels, shops: Sequence[Business]) -> None:
    """All trouble is over, and whoever was killed last is back."""
    models.heal()
    _answer(models)
    gateway.faults.clear()
    await _ready(settings)
    for session in (session for shop in shops for session in shop.sessions):
        gateway.find_webhooks(session)
        gateway.set_status(SessionStatus.WORKING, session=session)
    await gateway.settled(within=_QUIET_SECONDS)
    with psycopg.connect(EmbeddedPostgres(settings).admin_url(DATABASE)) as connection:
        connection.execute(_CALM)


async def _until_quiet(gateway: FakeWaha, admin_url: str) -> None:
    """Or until patience ends: the first law tells what is left. A moment more, for what a double would take."""
    until = time.monotonic() + _QUIET_SECONDS
    quiet = 0
    while quiet < 3 and time.monotonic() < until:
        await asyncio.sleep(1)
        await gateway.settled(within=_QUIET_SECONDS)
        quiet = 0 if await asyncio.to_thread(laws.broken, admin_url, laws=[laws.REST]) else quiet + 1


def _failures(settings: Settings) -> list[str]:
    """Lines with a stack trace: whatever is expected to go wrong has words of its own."""
    return [
        line[:2_000]
        for log in sorted(settings.logs_dir.glob("w*.log"))
        for line in log.read_text(errors="replace").splitlines()
        if '"exception":' in line or line.startswith("Traceback")
    ]
