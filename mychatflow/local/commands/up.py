"""`mychatflow up`: everything on this machine, from nothing to a table of addresses, kept running until Ctrl-C."""

import importlib
import shutil
import signal
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from types import FrameType
from typing import Annotated, Final

import typer
from rich.live import Live

from mychatflow.local import console, ports, programs, safety, status
from mychatflow.local.commands import loading
from mychatflow.local.console import Failure
from mychatflow.local.health import Health
from mychatflow.local.installation import FIRST_STEPS, Installation
from mychatflow.local.programs import Program
from mychatflow.settings import ConfigurationRefused, Settings

app = typer.Typer(add_completion=False)
_PATIENCE_SECONDS: Final = 90.0
_TICK_SECONDS: Final = 0.1
_REDRAW_SECONDS: Final = 0.5
_ECHO_SECONDS: Final = 1.5
_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


# Python drops an exception that a signal raises inside a destructor; the loops look here as well.
_is_asked = threading.Event()


class _Asked(BaseException):
    """Somebody asked us to stop; not an error, so no `except Exception` may swallow it."""


@app.command()
def up(
    demo: Annotated[bool, typer.Option("--demo/--no-demo", help="Write demo data at the first start.")] = True,
    only: Annotated[
        str | None, typer.Option(help=f"Just these, separated by commas: {', '.join(programs.NAMES)}.")
    ] = None,
) -> None:
    """Start everything and keep it running until Ctrl-C.

    Starts the embedded Postgres and Redis where no URL is set, migrates, starts the processes, prints one table of
    addresses and restarts whatever ends.
    """
    settings = loading.settings()
    running = programs.chosen(settings, _chosen(only))
    installation = Installation(settings)
    try:
        safety.refuse_unsafe(settings)
        with installation.lock(), _stopping(installation):
            ports.refuse_busy(running)
            _bring_up(installation, settings, running, demo=demo)
    except ConfigurationRefused as refused:
        raise loading.refusal(refused) from refused


def _chosen(only: str | None) -> frozenset[str]:
    if only is None:
        return frozenset(programs.NAMES)
    names = frozenset(name.strip() for name in only.split(",") if name.strip())
    if not names or not names <= frozenset(programs.NAMES):
        unknown = ", ".join(sorted(names - frozenset(programs.NAMES))) or "nothing"
        raise Failure(
            f"--only names {unknown}", next_step=f"choose from {','.join(programs.NAMES)}", exit_code=console.USAGE
        )
    return names


@contextmanager
def _stopping(installation: Installation) -> Iterator[None]:
    """Leave in order, whatever the reason; a second signal loses patience."""
    was_asked = False

    def ask(_number: int, _frame: FrameType | None) -> None:
        _is_asked.set()
        raise _Asked

    def insist(_number: int, _frame: FrameType | None) -> None:
        # Some shells and wrappers pass one Ctrl-C on twice.
        if time.monotonic() - stopping_since < _ECHO_SECONDS:
            return
        installation.supervisor.kill()
        sys.exit(console.FAILED)

    before = {number: signal.signal(number, ask) for number in _SIGNALS}
    try:
        yield
    except _Asked:
        was_asked = True
    finally:
        stopping_since = time.monotonic()
        for number in _SIGNALS:
            signal.signal(number, insist)
        console.say("stopping …")
        installation.stop()
        for number, handler in before.items():
            signal.signal(number, handler)
    if was_asked:
        console.say("stopped; everything is kept for the next start")


def _bring_up(installation: Installation, settings: Settings, running: Sequence[Program], *, demo: bool) -> None:
    started = time.monotonic()
    # Counters outlive a killed process, not the whole installation.
    shutil.rmtree(settings.run_dir / "metrics", ignore_errors=True)
    awaited = [program for program in running if program.is_awaited]
    # These need no database to come up, and the dashboards have much to import.
    early = [program for program in awaited if program.name in {"dashboards", "phone"}]
    for program in early:
        installation.start(program)
    installation.start_servers()
    if settings.is_production:
        # Imported only where it is wanted: it would stay in memory for as long as we run.
        database = importlib.import_module("mychatflow.local.commands.database")
        database.with_store(settings, lambda store: database.refuse_unsafe_role(store, settings))
    installation.migrate()
    installation.start_wal_stream()
    for program in awaited:
        if program not in early:
            installation.start(program)
    with Health(running) as health:
        _await(installation, health, awaited)
        installation.write_addresses(running)
        console.out.print(status.addresses(running))
        console.say(f"up after {time.monotonic() - started:.0f} s; logs are in {settings.logs_dir}")
        installation.start_first_steps(demo=demo)
        for program in running:
            if not program.is_awaited:
                installation.start(program)
        _watch(installation, health, running)


def _await(installation: Installation, health: Health, awaited: Sequence[Program]) -> None:
    """Until all of them answer; whatever ends meanwhile is started again, and what stays down is named."""
    console.say(f"starting {', '.join(program.name for program in awaited)} …")
    until = time.monotonic() + _PATIENCE_SECONDS
    while not health.are_up(awaited):
        if time.monotonic() > until:
            silent = [program.name for program in awaited if program.health and program.name not in health.up]
            console.say(f"still not answering: {', '.join(silent)}; their logs say why")
            return
        _tick(installation, health, awaited)


def _watch(installation: Installation, health: Health, running: Sequence[Program]) -> None:
    """For ever: live on a terminal, a line per change elsewhere."""
    if not console.err.is_terminal:
        seen: dict[str, str] = {}
        while True:
            _tick(installation, health, running)
            _tell_changes(installation, health, running, seen)
    with Live(console=console.err, auto_refresh=False, transient=True) as live:
        drawn = 0.0
        while True:
            _tick(installation, health, running)
            if time.monotonic() - drawn > _REDRAW_SECONDS:
                live.update(status.processes(installation.supervisor, health.up, running), refresh=True)
                drawn = time.monotonic()


def _tick(installation: Installation, health: Health, running: Sequence[Program]) -> None:
    if _is_asked.is_set():
        raise _Asked
    for program in running:
        member = installation.supervisor.members.get(program.name)
        if member is not None and health.is_stuck(program, started_at=member.started_at):
            installation.supervisor.end_stuck(program.name)
    installation.supervisor.tick()
    time.sleep(_TICK_SECONDS)


def _tell_changes(installation: Installation, health: Health, running: Sequence[Program], seen: dict[str, str]) -> None:
    asked = {program.name for program in running if program.is_asked}
    for name, member in installation.supervisor.members.items():
        word = status.state_of(member, is_answering=name in health.up or name not in asked)
        if seen.get(name) != word:
            seen[name] = word
            detail = "" if name != FIRST_STEPS or word != "failed" else f": see {name}.log"
            console.say(f"{name} is {word}{detail}")
