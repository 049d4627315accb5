"""The programs of an installation: how each is started, where it listens and how it says that it is up."""

import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Final, NoReturn

from mychatflow import settings as configuration
from mychatflow.settings import Settings

CHECKOUT: Final = Path(__file__).parents[2]
LOOPBACK: Final = "127.0.0.1"
# What `--only` may name; `worker` stands for all of them.
NAMES: Final = ("web", "worker", "phone", "dashboards", "dagster")


@dataclass(frozen=True, slots=True, kw_only=True)
class Program:
    """One process. `address` is for people; `health` answers 200 while it is up, `alive` is a file that it touches."""

    name: str
    arguments: tuple[str, ...]
    host: str = LOOPBACK
    port: int | None = None
    port_variable: str | None = None
    address: str | None = None
    health: str | None = None
    alive: Path | None = None
    # Of a program that answered before. A slow machine takes seconds, a database that is away nothing at all.
    longest_silence_seconds: float = 60.0
    # Whether the table of addresses waits for it.
    is_awaited: bool = True

    @property
    def is_asked(self) -> bool:
        return self.health is not None or self.alive is not None

    @property
    def command(self) -> list[str]:
        return [sys.executable, *self.arguments]


def web(settings: Settings) -> Program:
    root = f"http://{_reachable(settings.web_host)}:{settings.web_port}"
    return Program(
        name="web",
        arguments=("-m", "realtime.web"),
        host=settings.web_host,
        port=settings.web_port,
        port_variable="WEB_PORT",
        address=root,
        health=f"{root}/health",
    )


def worker(settings: Settings, index: int) -> Program:
    name = f"worker-{index}"
    alive = settings.run_dir / f"{name}.alive"
    return Program(
        name=name,
        arguments=("-m", "realtime.worker", "--index", str(index), "--alive", str(alive)),
        alive=alive,
    )


def phone(settings: Settings) -> Program:
    root = f"http://{LOOPBACK}:{settings.phone_port}"
    return Program(
        name="phone",
        arguments=("-m", "mychatflow.local.phone"),
        port=settings.phone_port,
        port_variable="PHONE_PORT",
        address=root,
        health=f"{root}/health",
    )


def dashboards(settings: Settings) -> Program:
    root = f"http://{_reachable(settings.web_host)}:{settings.dashboards_port}"
    return Program(
        name="dashboards",
        arguments=("-m", "dashboards.app"),
        host=settings.web_host,
        port=settings.dashboards_port,
        port_variable="DASHBOARDS_PORT",
        address=root,
        health=f"{root}/health",
    )


def dagster(settings: Settings) -> Program:
    """Dagster has no login of its own, so it listens on loopback whatever WEB_HOST says."""
    root = f"http://{LOOPBACK}:{settings.dagster_port}"
    return Program(
        name="dagster",
        arguments=("-m", "mychatflow.local.dagster"),
        port=settings.dagster_port,
        port_variable="DAGSTER_PORT",
        address=root,
        health=f"{root}/server_info",
        is_awaited=False,
        # It stands behind all others, and its runs end with it.
        longest_silence_seconds=300.0,
    )


def chosen(settings: Settings, only: frozenset[str]) -> list[Program]:
    """The programs to run, in the order of their start; the phone only where it stands for the gateway."""
    programs: list[Program] = []
    if "web" in only:
        programs.append(web(settings))
    if "worker" in only:
        programs += [worker(settings, index) for index in range(1, settings.workers + 1)]
    if "phone" in only and settings.is_sandbox_phone:
        programs.append(phone(settings))
    if "dashboards" in only:
        programs.append(dashboards(settings))
    if "dagster" in only:
        programs.append(dagster(settings))
    return programs


def environment(settings: Settings) -> dict[str, str]:
    """Our settings, and this checkout's packages before any of the same name."""
    inherited = configuration.environment(settings)
    path = [str(CHECKOUT), *filter(None, [inherited.get("PYTHONPATH")])]
    if inherited.pop("PYTHONDONTWRITEBYTECODE", None):
        # Whoever wants no caches beside the code still wants a quick second start.
        inherited.setdefault("PYTHONPYCACHEPREFIX", str(settings.data_dir / "cache" / "python"))
    # prometheus_client reads it at its import: all our processes add up their counters there.
    inherited.setdefault("PROMETHEUS_MULTIPROC_DIR", str(settings.run_dir / "metrics"))
    # Each of a program's many threads would keep a heap of its own.
    inherited.setdefault("MALLOC_ARENA_MAX", "2")
    return inherited | {"PYTHONPATH": os.pathsep.join(path)}


def become(settings: Settings, arguments: list[str], **variables: str) -> NoReturn:
    """Replace this process by that Python program: its output, signals and exit code are its own."""
    command = [sys.executable, *arguments]
    sys.stdout.flush()
    sys.stderr.flush()
    os.execve(sys.executable, command, environment(settings) | variables)  # noqa: S606 - our own program


def _reachable(host: str) -> str:
    """An address to open; a wildcard is one to listen on."""
    return LOOPBACK if host in {"0.0.0.0", "::", ""} else host  # noqa: S104
