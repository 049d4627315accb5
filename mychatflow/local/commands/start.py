"""`mychatflow start NAME`: one process in the foreground, the way a container or a supervisor runs it."""

import enum
import os
import signal
import threading
from typing import Annotated

import typer

from mychatflow.local import console, leftovers, ports, process, programs, safety
from mychatflow.local.commands import loading
from mychatflow.local.console import Failure
from mychatflow.local.postgres import EmbeddedPostgres
from mychatflow.local.programs import Program
from mychatflow.local.redis import EmbeddedRedis
from mychatflow.settings import ConfigurationRefused, Settings

app = typer.Typer(add_completion=False)


class Name(enum.StrEnum):
    """What can be started."""

    POSTGRES = "postgres"
    REDIS = "redis"
    WEB = "web"
    WORKER = "worker"
    DAGSTER = "dagster"
    DASHBOARDS = "dashboards"
    PHONE = "phone"


@app.command()
def start(
    name: Annotated[Name, typer.Argument(help="Which process.")],
    worker_index: Annotated[int, typer.Option(min=1, max=64, help="Which of several workers.")] = 1,
) -> None:
    """Run one process in the foreground until SIGTERM."""
    settings = loading.settings()
    try:
        safety.refuse_unsafe(settings)
    except ConfigurationRefused as refused:
        raise loading.refusal(refused) from refused
    match name:
        case Name.POSTGRES | Name.REDIS:
            _serve(settings, name)
        case Name.WEB:
            _become(settings, programs.web(settings))
        case Name.WORKER:
            _become(settings, programs.worker(settings, worker_index))
        case Name.DAGSTER:
            _become(settings, programs.dagster(settings))
        case Name.DASHBOARDS:
            _become(settings, programs.dashboards(settings))
        case Name.PHONE:
            _become(settings, programs.phone(settings))


def _become(settings: Settings, program: Program) -> None:
    ports.refuse_busy([program])
    # The program takes over this process, so this is its pid.
    process.write_pid(settings.run_dir / f"{program.name}.pid", os.getpid())
    programs.become(settings, list(program.arguments))


def _serve(settings: Settings, name: Name) -> None:
    """The embedded server, ended in order by SIGTERM or Ctrl-C; its own end ends us with exit code 1."""
    leftovers.see_ended(settings, ["postgres" if name is Name.POSTGRES else "redis"])
    server = EmbeddedPostgres(settings) if name is Name.POSTGRES else EmbeddedRedis(settings)
    is_asked = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: is_asked.set())
    try:
        server.start()
        console.say(f"{name} is up")
        while not is_asked.wait(0.2):
            if server.process is None or server.process.poll() is not None:
                raise Failure(f"{name} ended by itself", next_step=f"see {server.log}")
    except process.ServerFailed as failed:
        raise Failure(str(failed), next_step=failed.next_step, exit_code=console.DEPENDENCY_DOWN) from failed
    finally:
        server.stop()
