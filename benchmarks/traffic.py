"""Runs customers, gateway, model and the product (or its peer) against one another and collects who saw what when."""

import asyncio
import json
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import psycopg

from benchmarks import history, statements
from benchmarks.processes import CHECKOUT, HMAC_KEY, Cost, Installation, installation, wait_for
from benchmarks.statements import Asked
from mychatflow.settings import DATABASE, Settings
from mychatflow.store.session import Store
from tests import ports
from tests.factories import Tenant, a_quick_reply, a_tenant
from tests.fakes.llm import ABOUT_NUMBERS

Programs = Mapping[str, tuple[str, ...]]
PRODUCT: Programs = {"web": ("realtime.web",), "worker-1": ("realtime.worker", "--index", "1")}
PEER: Programs = {"web": ("benchmarks.peers.orm",)}
_FIRST_CUSTOMER = 34_600_000_000
_WARM_UP_RATE = 100.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Traffic:
    """Messages per second for so long, over so many chats, with a model that takes so long.

    With `burst` a customer writes that many in a row and gets one answer to all of them after the debounce. So many
    `contacts`, the chats first among them, have written for two months before, so many messages each.
    """

    chats: int
    rate: float
    seconds: float
    model_ms: int
    burst: int = 1
    debounce_ms: int = 0
    contacts: int = 0
    history: int = 10

    def chat(self, number: int) -> str:
        """Whose message that is."""
        return f"{_FIRST_CUSTOMER + number // self.burst % self.chats}@c.us"


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """One row per message written, and what customers saw afterwards: chat → answers in order."""

    written: list[dict[str, float]]
    answers: dict[str, list[dict[str, Any]]]

    @property
    def acknowledged(self) -> list[dict[str, float]]:
        return [row for row in self.written if row["status"] == 200]

    @property
    def answering_ms(self) -> float:
        """From the first answer to the last."""
        sent = [answer["sent_ms"] for answers in self.answers.values() for answer in answers]
        return max(1.0, max(sent) - min(sent)) if sent else 1.0

    def by_chat(self, traffic: Traffic) -> Iterator[tuple[list[float], list[dict[str, Any]]]]:
        """When the last message of each of a chat's bursts was due, beside that chat's answers."""
        due: dict[str, list[float]] = {}
        for row in self.acknowledged:
            due.setdefault(traffic.chat(int(row["number"])), []).append(row["due_ms"])
        for chat, times in due.items():
            yield sorted(times)[traffic.burst - 1 :: traffic.burst], self.answers.get(chat, [])


@dataclass(frozen=True, slots=True, kw_only=True)
class Observed(Seen):
    """What customers saw, and what it cost."""

    cost: Cost
    commits: int


def observe(
    traffic: Traffic, programs: Programs, *, look: Callable[[Installation, Seen], None] | None = None
) -> Observed:
    """Start everything afresh, warm up for two seconds, write at the rate and wait until all have an answer.

    `look` may then ask what only the running product knows.
    """
    with under_way(traffic, programs) as (running, tenant, gateway):
        warm_up = replace(traffic, rate=min(traffic.rate, _WARM_UP_RATE))
        write(running.settings, tenant, warm_up, seconds=2.0, out="warm-up")
        until_answered(gateway, messages(running.settings, "warm-up"), traffic)
        already = {chat: len(rows) for chat, rows in deliveries(gateway, tenant).items()}
        before, commits = running.cost(*programs), _commits(running)
        write(running.settings, tenant, traffic, seconds=traffic.seconds, out="load")
        written = messages(running.settings, "load")
        until_answered(gateway, written, traffic, already=sum(already.values()))
        cost, committed = running.cost(*programs).since(before), _commits(running) - commits
        answered = deliveries(gateway, tenant)
        observed = Observed(
            written=written,
            answers={chat: rows[already.get(chat, 0) :] for chat, rows in answered.items()},
            cost=cost,
            commits=committed,
        )
        if look is not None:
            look(running, observed)
    return observed


def count_statements(traffic: Traffic, programs: Programs) -> Asked:
    """What the same traffic asks of Postgres; a run of its own, since writing each statement down costs time."""
    with under_way(traffic, programs) as (running, tenant, gateway):
        write(running.settings, tenant, traffic, seconds=2.0, out="warm-up")
        until_answered(gateway, messages(running.settings, "warm-up"), traffic)
        already = sum(len(rows) for rows in deliveries(gateway, tenant).values())
        with statements.counted(running) as asked:
            write(running.settings, tenant, traffic, seconds=traffic.seconds, out="load")
            until_answered(gateway, messages(running.settings, "load"), traffic, already=already)
    return asked


@contextmanager
def under_way(traffic: Traffic, programs: Programs) -> Iterator[tuple[Installation, Tenant, str]]:
    web, waha, llm = ports.several(3)
    with installation(web_port=web) as running:
        tenant = asyncio.run(a_busy_tenant(running.settings, traffic))
        if traffic.contacts:
            admin_url = running.postgres.admin_url(DATABASE)
            size = {"contacts": traffic.contacts, "messages": traffic.history, "readable": traffic.chats}
            asyncio.run(history.write(running.settings, tenant, admin_url, first=_FIRST_CUSTOMER, **size))
        gateway, model = f"http://127.0.0.1:{waha}", f"http://127.0.0.1:{llm}"
        running.start("gateway", "tests.fakes.waha", "--port", str(waha), "--no-receipts")
        running.start("model", "tests.fakes.llm", "--port", str(llm), "--latency-ms", str(traffic.model_ms))
        _start(running, programs, gateway=gateway, model=model)
        post(f"{gateway}/__control/sessions", {"name": tenant.session})
        post(f"{model}/_control", {"reply": ABOUT_NUMBERS})
        yield running, tenant, gateway


async def a_busy_tenant(settings: Settings, traffic: Traffic, *, session: str = "bench") -> Tenant:
    store = Store(settings)
    tenant = await a_tenant(
        store,
        session=session,
        plan="enterprise",
        typing_indicator_enabled=False,
        debounce_ms=traffic.debounce_ms,
        # Longer than the slowest model of a benchmark takes.
        llm_timeout_ms=60_000,
        llm_total_timeout_ms=60_000,
    )
    await a_quick_reply(
        store, tenant, title="Prices", body="A double room costs 120 euros a night, breakfast included."
    )
    async with store.platform_transaction() as transaction:
        await transaction.exec_driver_sql("update tenants set plan = 'enterprise'")
    await store.close()
    return tenant


def _start(running: Installation, programs: Programs, *, gateway: str, model: str) -> None:
    environment = {
        "WAHA_BASE_URL": gateway,
        "WAHA_API_KEY": "test-gateway-key",
        "OPENAI_API_KEY": "sk-benchmark",
        "OPENAI_BASE_URL": f"{model}/v1",
        "WEBHOOK_INSTANCE_RATE": "1000000/minute",
        # Counted as ever, but never reached: above it customers are told to wait, which is no benchmark of turns.
        "OPENAI_REQUESTS_PER_MINUTE": "10000000",
        "LOG_LEVEL": "warning",
    }
    for name, arguments in programs.items():
        running.start(name, *arguments, **environment)
    ready = f"http://127.0.0.1:{running.settings.web_port}/ready"
    wait_for(lambda: answers(ready), seconds=180, what=f"web is ready\n{running.log('web')}")


@contextmanager
def writing(
    settings: Settings, tenant: Tenant, traffic: Traffic, *, seconds: float, out: str, nicer: int = 0
) -> Iterator[subprocess.Popen[bytes]]:
    """Customers in a process of their own, so much nicer than ours, which the end of the block waits for."""
    command = [
        "nice",
        "-n",
        str(nicer),
        sys.executable,
        "-m",
        "benchmarks.customers",
        "--key",
        HMAC_KEY,
        "--session",
        tenant.session,
    ]
    command += ["--url", settings.webhook_url, "--chats", str(traffic.chats), "--rate", str(traffic.rate)]
    command += ["--burst", str(traffic.burst), "--seconds", str(seconds)]
    command += ["--out", str(settings.data_dir / f"{out}.jsonl")]
    with subprocess.Popen(command, cwd=CHECKOUT, stderr=subprocess.DEVNULL) as customers:
        try:
            yield customers
        except BaseException:
            customers.kill()
            raise


def write(settings: Settings, tenant: Tenant, traffic: Traffic, *, seconds: float, out: str) -> None:
    """Write until all has an acknowledgement, or never gets one."""
    with writing(settings, tenant, traffic, seconds=seconds, out=out) as customers:
        if customers.wait() != 0:
            raise RuntimeError(f"the customers of {out} ended early")


def messages(settings: Settings, out: str) -> list[dict[str, float]]:
    return [json.loads(line) for line in (settings.data_dir / f"{out}.jsonl").read_text().splitlines()]


def until_answered(gateway: str, written: list[dict[str, float]], traffic: Traffic, *, already: int = 0) -> None:
    expected = already + sum(1 for row in written if row["status"] == 200) // traffic.burst
    patience, seen = 30 + traffic.model_ms / 1000, 0
    until = time.monotonic() + patience
    while seen < expected and time.monotonic() < until:
        time.sleep(0.5)
        attempts = int(get(f"{gateway}/__control/sends")["attempts"])
        if attempts > seen:
            # As long as there is progress, a slow machine is no loss.
            seen, until = attempts, time.monotonic() + patience


def deliveries(gateway: str, tenant: Tenant) -> dict[str, list[dict[str, Any]]]:
    sessions: dict[str, dict[str, list[dict[str, Any]]]] = get(f"{gateway}/__control/deliveries")["sessions"]
    return sessions.get(tenant.session, {})


def _commits(running: Installation) -> int:
    with psycopg.connect(running.postgres.admin_url()) as connection:
        row = connection.execute("select xact_commit from pg_stat_database where datname = 'mychatflow'").fetchone()
    return int(row[0]) if row else 0


def get(url: str) -> Any:
    with urllib.request.urlopen(url, timeout=60) as answer:
        return json.loads(answer.read())


def post(url: str, body: dict[str, Any]) -> None:
    request = urllib.request.Request(url, json.dumps(body).encode(), {"Content-Type": "application/json"})
    urllib.request.urlopen(request, timeout=30).close()


def answers(url: str) -> bool:
    try:
        urllib.request.urlopen(url, timeout=2).close()
    except OSError:
        return False
    return True
