"""The whole product, started by its public command in a directory of its own, beside a gateway and models of ours."""

import asyncio
import signal
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import psutil
from pydantic import SecretStr

from benchmarks.processes import CHECKOUT, HMAC_KEY, wait_for
from benchmarks.traffic import Traffic, a_busy_tenant, answers, post
from mychatflow import settings as configuration
from mychatflow.local import process
from mychatflow.settings import Settings
from tests import ports
from tests.factories import Tenant
from tests.fakes.waha import API_KEY

ALL: Final = "web,worker,dashboards,dagster"
COMMAND: Final = Path(sys.executable).with_name("mychatflow")
# A first start makes the database, the demo and its first numbers, and a benchmark's machine may be slow.
_PATIENCE_SECONDS = 900.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Product:
    """`root` is the process of `mychatflow up`: all of ours descend from it, the fakes do not."""

    settings: Settings
    root: psutil.Process
    tenant: Tenant
    gateway: str
    model: str

    @property
    def web(self) -> str:
        return f"http://127.0.0.1:{self.settings.web_port}"

    @property
    def dashboards(self) -> str:
        return f"http://127.0.0.1:{self.settings.dashboards_port}"


@contextmanager
def product(traffic: Traffic, *, demo: bool, only: str = ALL, **changes: Any) -> Iterator[Product]:
    """Every process up, the first numbers published and one tenant ready to be written to; all ends with the block.

    `changes` are settings other than the usual.
    """
    with ExitStack() as stack:
        directory = stack.enter_context(tempfile.TemporaryDirectory(prefix="mcf-bench-", ignore_cleanup_errors=True))
        web, boards, dagster, waha, llm = ports.several(5)
        gateway, model = f"http://127.0.0.1:{waha}", f"http://127.0.0.1:{llm}"
        settings = Settings(
            _env_file=None,
            MYCHATFLOW_DATA_DIR=directory,
            webhook_secret=SecretStr(HMAC_KEY),
            web_port=web,
            dashboards_port=boards,
            dagster_port=dagster,
            waha_base_url=gateway,
            waha_api_key=SecretStr(API_KEY),
            openai_api_key=SecretStr("sk-benchmark"),
            openai_base_url=f"{model}/v1",
            # What is measured is our product, not how it keeps to somebody's limits.
            openai_requests_per_minute=0,
            webhook_instance_rate="1000000/minute",
            log_level="warning",
            **changes,
        )
        python = [sys.executable, "-m"]
        latency = str(traffic.model_ms)
        _start(stack, settings, "gateway", [*python, "tests.fakes.waha", "--port", str(waha), "--no-receipts"])
        _start(stack, settings, "model", [*python, "tests.fakes.llm", "--port", str(llm), "--latency-ms", latency])
        up = start_up(stack, settings, demo=demo, only=only)
        tenant = asyncio.run(a_busy_tenant(settings, traffic))
        post(f"{gateway}/__control/sessions", {"name": tenant.session})
        yield Product(settings=settings, root=up, tenant=tenant, gateway=gateway, model=model)


def _start(stack: ExitStack, settings: Settings, name: str, command: list[str]) -> psutil.Process:
    environment = configuration.environment(settings)
    started = process.spawn(command, log=settings.logs_dir / f"{name}.log", environment=environment, cwd=CHECKOUT)
    stack.callback(process.stop, started, stop_signal=signal.SIGTERM, patience_seconds=90)
    return psutil.Process(started.pid)


def start_up(stack: ExitStack, settings: Settings, *, demo: bool, only: str) -> psutil.Process:
    """`mychatflow up`, until all that was asked for answers."""
    command = [str(COMMAND), "up", "--demo" if demo else "--no-demo", "--only", only]
    up = _start(stack, settings, "up", command)
    _await(settings, only.split(","), has_numbers=demo)
    return up


def _await(settings: Settings, only: Sequence[str], *, has_numbers: bool) -> None:
    run, log = settings.run_dir, settings.logs_dir / "up.log"
    health = {
        "web": f"http://127.0.0.1:{settings.web_port}/ready",
        "dashboards": f"http://127.0.0.1:{settings.dashboards_port}/health",
        "dagster": f"http://127.0.0.1:{settings.dagster_port}/server_info",
    }
    addresses = [health[name] for name in only if name in health]
    published = settings.warehouse_dir / "published" / "current"

    def is_up() -> bool:
        if not (run / "addresses.json").exists() or (run / "first-steps.pid").exists():
            # The first steps take what the programs need to come up.
            time.sleep(1)
            return False
        return (published.exists() or not has_numbers) and all(answers(address) for address in addresses)

    try:
        wait_for(is_up, seconds=_PATIENCE_SECONDS, what="all processes are up")
    except TimeoutError as error:
        raise SystemExit(f"{error}\n{process.log_tail(log, 40)}") from error
