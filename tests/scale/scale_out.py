"""Two web and four worker machines beside each other: their networks are cut in turn while customers write.

`python -m tests.scale.scale_out [--messages 240]`, as the administrator of a Linux: each program runs in a network
namespace and a folder of its own, and has nothing in common with the others but the address of Postgres and of Redis.
"""

import argparse
import asyncio
import json
import os
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Sequence
from contextlib import AsyncExitStack, ExitStack
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from mychatflow.local import process, setup
from mychatflow.settings import Settings
from mychatflow.store.session import Store
from tests.chaos.cluster import CHECKOUT, answers, wait_until
from tests.chaos.customers import Customers, numbers_again
from tests.chaos.verdict import Verdict
from tests.factories import a_tenant
from tests.fakes.llm import FakeModels
from tests.fakes.waha import API_KEY, FakeWaha
from tests.scale import network, servers
from tests.scale.network import HOST, Machine

_HMAC_KEY: Final = "scale-hmac-key"
_WEB: Final = (11, 12)
_WORKERS: Final = (21, 22, 23, 24)
# Longer than a lease: what the cut-off worker held is answered by another before it is back.
_CUT_SECONDS: Final = 20.0
_RETRIES: Final = {"policy": "constant", "delaySeconds": 0.5, "attempts": 300}


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """`asked` counts each worker's calls to the model: one that asked nothing took no part."""

    verdict: Verdict
    asked: dict[str, int]
    cuts: int
    seconds: float

    @property
    def holds(self) -> bool:
        return self.verdict.holds and len(self.asked) == len(_WORKERS)


async def run(*, messages: int = 240) -> Outcome:
    """Raises TimeoutError when a program never comes up; everything else is in the verdict."""
    async with AsyncExitStack() as stack:
        home = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="mcf-scale-", ignore_cleanup_errors=True)))
        machines = stack.enter_context(network.machines(*_WEB, *_WORKERS))
        database = stack.enter_context(servers.postgres(home / "postgres", host=HOST, network="10.77.0.0/24"))
        redis = stack.enter_context(servers.redis_server(home, host=HOST))
        models = stack.enter_context(FakeModels().serve(host=HOST))
        models.say("openai", numbers_again)
        gateway = await stack.enter_async_context(FakeWaha.running(host=HOST, api_key=API_KEY))
        environment = _environment(gateway, models, database=database, redis=redis)
        sessions = await _numbers(environment, home / "operator", gateway)
        stack.enter_context(_started(machines, environment, home))
        return await _under_cuts(Customers(gateway, chats=20), machines, sessions, models, messages=messages)


async def _under_cuts(
    customers: Customers, machines: Sequence[Machine], sessions: Sequence[str], models: FakeModels, *, messages: int
) -> Outcome:
    began = datetime.now(UTC)
    writing = asyncio.create_task(customers.write(messages, through=sessions))
    cuts = 0
    for machine in (machines[2], machines[0], machines[3]):
        machine.cut()
        cuts += 1
        await asyncio.sleep(_CUT_SECONDS if machine.number in _WORKERS else 3)
        machine.join()
    await writing
    await customers.until_answered()
    keys = Counter(call.headers["authorization"].removeprefix("Bearer ") for call in models.calls())
    seconds = (datetime.now(UTC) - began).total_seconds()
    return Outcome(verdict=customers.verdict(), asked=dict(keys), cuts=cuts, seconds=seconds)


def _started(machines: Sequence[Machine], environment: dict[str, str], home: Path) -> ExitStack:
    """Every program on its machine; they end with the stack."""
    with ExitStack() as running:
        for machine in machines:
            module = ["realtime.web"] if machine.number in _WEB else ["realtime.worker", "--index", "1"]
            own = {
                "MYCHATFLOW_DATA_DIR": str(home / machine.name),
                "WEB_HOST": machine.address,
                "OPENAI_API_KEY": machine.name,
            }
            child = process.spawn(
                [*machine.prefix, sys.executable, "-m", *module],
                log=home / "logs" / f"{machine.name}.log",
                environment=environment | own,
                cwd=CHECKOUT,
            )
            running.callback(process.stop, child, stop_signal=process.signal.SIGTERM, patience_seconds=15)
        for number in _WEB:
            ready = f"http://{Machine(number).address}:8000/ready"
            wait_until(lambda url=ready: answers(url), seconds=90, what=ready)
        return running.pop_all()


async def _numbers(environment: dict[str, str], home: Path, gateway: FakeWaha) -> list[str]:
    """A business for each web machine, whose gateway calls that one; any worker may answer."""
    settings = Settings(
        _env_file=None,
        MYCHATFLOW_DATA_DIR=home,
        MYCHATFLOW_MASTER_KEY=environment["MYCHATFLOW_MASTER_KEY"],
        database_url=environment["DATABASE_URL"],
    )
    await asyncio.to_thread(setup.migrate, settings, today=datetime.now(UTC).date())
    store = Store(settings)
    names = [Machine(number).name for number in _WEB]
    for name, number in zip(names, _WEB, strict=True):
        await a_tenant(store, session=name, plan="enterprise", typing_indicator_enabled=False, debounce_ms=500)
        url = f"http://{Machine(number).address}:8000/api/webhooks/whatsapp"
        await gateway.a_session(name, webhook_url=url, hmac_key=_HMAC_KEY, retries=_RETRIES)
    await store.close()
    return names


def _environment(gateway: FakeWaha, models: FakeModels, *, database: str, redis: str) -> dict[str, str]:
    ours = {
        "MYCHATFLOW_MASTER_KEY": os.urandom(32).hex(),
        "DATABASE_URL": database,
        "REDIS_URL": redis,
        "WEBHOOK_SECRET": _HMAC_KEY,
        "WAHA_BASE_URL": gateway.base_url,
        "WAHA_API_KEY": gateway.api_key,
        "NO_PROXY": "*",
    }
    return os.environ | ours | {key.upper(): value for key, value in models.settings("openai").items()}


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.scale.scale_out", description=__doc__)
    parser.add_argument("--messages", type=int, default=240)
    given = parser.parse_args()
    if not network.is_possible():
        sys.exit("this needs the administrator of a Linux with iproute2")
    try:
        outcome = asyncio.run(run(messages=given.messages))
    except subprocess.CalledProcessError as error:
        sys.exit(f"{' '.join(map(str, error.cmd))}: {(error.stderr or b'').decode().strip()}")
    print(json.dumps(asdict(outcome)))
    sys.exit(0 if outcome.holds else 1)


if __name__ == "__main__":
    main()
