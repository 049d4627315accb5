"""A chaos run: customers write through a lossy gateway while our processes are killed; then we count what they saw."""

import asyncio
import contextlib
import random
import tempfile
import time
from collections import defaultdict
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import psycopg

from mychatflow.local.phone.records import Engine
from mychatflow.settings import Settings
from mychatflow.store import schema
from mychatflow.store.session import Store
from tests.chaos import cluster, numbers, witness
from tests.chaos.hazards import Hazards
from tests.chaos.numbers import Reconciled
from tests.chaos.verdict import Verdict, judge, numbers_in
from tests.factories import Tenant, a_tenant
from tests.fakes.llm import FakeModels, answer_json
from tests.fakes.llm_wire import Call
from tests.fakes.waha import API_KEY, FakeWaha

_SESSION = "chaos"
# A refused or lost webhook is tried again soon, for as long as the run may last.
_RETRIES = {"policy": "constant", "delaySeconds": 0.2, "attempts": 300}
_EVENTS = ("message", "message.any", "message.ack", "session.status")


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What to do to the product; everything random comes from the seed."""

    messages: int = 300
    chats: int = 20
    workers: int = 2
    least_kills: int = 20
    seconds_between_kills: float = 2.5
    lost_answers: float = 0.05
    model_ms: int = 150
    seed: int = 7
    # The negative control: the gateway ignores our ids though we believe in them, so a resend reaches the customer.
    gateway_keeps_ids: bool = True
    engine: Engine = "NOWEB"
    history_lag_seconds: float = 0.0
    # What goes wrong beside the kills, by the names of hazards.NAMES.
    hazards: frozenset[str] = frozenset()
    # Roll the numbers up at the end and compare them with what Postgres holds.
    reconciles: bool = False
    patience_seconds: float = 180


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    verdict: Verdict
    kills: dict[str, int]
    lost_answers: int
    resends: int
    hazards: dict[str, int]
    reconciled: Reconciled | None
    in_doubt: int
    miscounted: tuple[str, ...]
    seconds: float

    @property
    def has_struck(self) -> bool:
        """A run with a handful of kills proves nothing."""
        return sum(self.kills.values()) >= 20 and self.lost_answers > 0

    @property
    def holds(self) -> bool:
        """Without ids of ours a message that was in doubt may have come twice, and nothing else may."""
        verdict = self.verdict
        doubled = len(verdict.doubled) - self.in_doubt
        numbers_hold = not self.miscounted and (self.reconciled is None or self.reconciled.is_exact)
        return not (verdict.lost or verdict.order_breaks or doubled > 0) and numbers_hold


async def run(plan: Plan) -> Outcome:
    """Raises TimeoutError only when the product never comes up; everything else is in the verdict."""
    began = time.monotonic()
    async with AsyncExitStack() as stack:
        directory = stack.enter_context(tempfile.TemporaryDirectory(prefix="mcf-chaos-", ignore_cleanup_errors=True))
        models = stack.enter_context(FakeModels().serve())
        _answer_with_numbers(models, plan)
        engine = plan.engine if plan.gateway_keeps_ids else "WEBJS"
        gateway = await stack.enter_async_context(
            FakeWaha.running(api_key=API_KEY, engine=engine, history_lag_ms=round(plan.history_lag_seconds * 1000))
        )
        settings = cluster.settings_in(Path(directory))
        environment = cluster.environment(settings, gateway, models)
        keepers = cluster.keepers(settings, environment, workers=plan.workers, has_dagster="dagster" in plan.hazards)
        stack.callback(lambda: [keeper.close() for keeper in reversed(keepers.values())])
        await _open(keepers, settings, plan)
        await gateway.a_session(
            _SESSION, webhook_url=settings.webhook_url, hmac_key=cluster.HMAC_KEY, events=_EVENTS, retries=_RETRIES
        )
        gateway.faults.share("reset_after", plan.lost_answers)
        hazards = Hazards(
            names=plan.hazards,
            keepers=keepers,
            gateway=gateway,
            models=models,
            settings=settings,
            environment=environment,
            chance=random.Random(plan.seed + 1),
        )
        async with _endangered(hazards):
            sent, ids = await _converse(gateway, keepers, plan)
        models.heal()
        _answer_with_numbers(models, plan)
        await _until_quiet(gateway, sent, plan)
        reconciled = await asyncio.to_thread(numbers.reconcile, environment) if plan.reconciles else None
        seen = {chat: gateway.texts(chat, session=_SESSION) for chat in sent}
        return Outcome(
            verdict=judge(sent, seen, moments=witness.moments(settings, ids)),
            kills={name: keeper.kills for name, keeper in keepers.items()},
            lost_answers=sum(gateway.faults.fired.values()),
            resends=sum(attempt.is_repeat for attempt in gateway.attempts),
            hazards=dict(hazards.struck),
            reconciled=reconciled,
            in_doubt=_messages_in_doubt(settings),
            miscounted=witness.miscounted(settings),
            seconds=time.monotonic() - began,
        )


async def _converse(
    gateway: FakeWaha, keepers: dict[str, cluster.Keeper], plan: Plan
) -> tuple[dict[str, list[int]], dict[str, int]]:
    """Customers write in random order while processes die; returns the numbers by chat and by message id."""
    chance = random.Random(plan.seed)
    sent: dict[str, list[int]] = defaultdict(list)
    ids: dict[str, int] = {}
    pause = plan.least_kills * 1.25 * plan.seconds_between_kills / plan.messages
    async with _under_fire(keepers, plan, chance):
        for number in range(1, plan.messages + 1):
            chat = f"{34_600_000_000 + chance.randrange(plan.chats)}@c.us"
            message = gateway.send_from(chat, f"What about order #{number}?", session=_SESSION)
            ids[message.message_id] = number
            sent[chat].append(number)
            await asyncio.sleep(chance.uniform(0, 2 * pause))
        while sum(keeper.kills for keeper in keepers.values()) < plan.least_kills:  # noqa: ASYNC110  (threads count)
            await asyncio.sleep(0.1)
    return dict(sent), ids


@asynccontextmanager
async def _endangered(hazards: Hazards) -> AsyncIterator[None]:
    striking = asyncio.create_task(hazards.run())
    try:
        yield
    finally:
        striking.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await striking


def _messages_in_doubt(settings: Settings) -> int:
    """Those that the product put on record because it could not know: its one documented window."""
    asked = "select count(distinct subject) from audit_log where action = 'message.ambiguous'"
    with psycopg.connect(settings.role_url("audit")) as connection:
        found = connection.execute(asked).fetchone()
    return found[0] if found else 0


@asynccontextmanager
async def _under_fire(keepers: dict[str, cluster.Keeper], plan: Plan, chance: random.Random) -> AsyncIterator[None]:
    async def fire() -> None:
        while True:
            await asyncio.sleep(chance.uniform(0.5, 1.5) * plan.seconds_between_kills)
            keepers[chance.choice(sorted(keepers))].kill()

    firing = asyncio.create_task(fire())
    try:
        yield
    finally:
        firing.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await firing


async def _until_quiet(gateway: FakeWaha, sent: dict[str, list[int]], plan: Plan) -> None:
    """Until every number was answered, or patience ends; then a little longer, so that a double could still come."""
    until = time.monotonic() + plan.patience_seconds
    expected = {number for numbers in sent.values() for number in numbers}
    while time.monotonic() < until:
        answered = {
            number for chat in sent for text in gateway.texts(chat, session=_SESSION) for number in numbers_in(text)
        }
        if expected <= answered:
            break
        await asyncio.sleep(0.25)
    await asyncio.sleep(5)


def _answer_with_numbers(models: FakeModels, plan: Plan) -> None:
    def script(call: Call) -> str:
        return answer_json("About " + " ".join(f"#{number}" for number in numbers_in(call.question)))

    for name, provider in models.providers.items():
        provider.latency = plan.model_ms / 1000
        models.say(name, script)


async def _open(keepers: dict[str, cluster.Keeper], settings: Settings, plan: Plan) -> Tenant:
    await asyncio.to_thread(witness.let_postgres_tell_time, settings)
    for name in ("postgres", "redis"):
        await asyncio.to_thread(keepers[name].open)
    await asyncio.to_thread(schema.migrate, settings, today=datetime.now(UTC).date())
    await asyncio.to_thread(witness.watch, settings)
    store = Store(settings)
    # The product's own debounce: it is what lets a webhook that had to be tried again take its place in the chat.
    quiet = {"typing_indicator_enabled": False, "debounce_ms": 500}
    tenant = await a_tenant(store, session=_SESSION, plan="enterprise", engine=plan.engine, **quiet)
    await store.close()
    for name, keeper in keepers.items():
        if name not in {"postgres", "redis"}:
            keeper.open()
    ready = f"http://127.0.0.1:{settings.web_port}/ready"
    await asyncio.to_thread(cluster.wait_until, lambda: cluster.answers(ready), seconds=60, what="web is ready")
    return tenant
