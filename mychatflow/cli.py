"""The `mychatflow` command: what it can do, at a glance; each command's code is imported when it is asked for."""

import errno
import importlib
import sys
from collections.abc import Sequence
from typing import Any, Final

import typer
from typer.core import TyperCommand, TyperGroup
from typer.main import get_command

from mychatflow.local import console

_ROOM: Final = "mychatflow.local.commands"
_RUN, _SET_UP, _LOOK, _NUMBERS = "Run it", "Set it up", "Look into it", "Numbers"
# Name → module that holds it (as `app`, unless a name follows the colon), its group in the help, its line there.
_COMMANDS: Final = {
    "up": ("up", _RUN, "Start everything on this machine and keep it running until Ctrl-C."),
    "start": ("start", _RUN, "Run one process in the foreground, as a container or a supervisor does."),
    "migrate": ("migrate", _RUN, "Bring the database to the newest version."),
    "doctor": ("doctor", _RUN, "Check configuration, servers, security and freshness."),
    "config": ("config", _SET_UP, "Show the settings, check them, or print an example .env."),
    "demo": ("demo", _SET_UP, "Write three demo businesses with 120 days of history."),
    "tenant": ("tenant", _SET_UP, "Create a tenant and its owner's API key, or list who is there."),
    "instance": ("instance", _SET_UP, "Connect a WhatsApp number."),
    "settings": ("tenant_settings", _SET_UP, "Change a tenant's settings."),
    "keys": ("keys", _SET_UP, "Rotate the keys over people's words, or drop a tenant's for good."),
    "export": ("privacy:export", _SET_UP, "Copy what is kept of a person or a tenant into a zip."),
    "erase": ("privacy:erase", _SET_UP, "Forget a person everywhere, with a certificate."),
    "backup": ("backup", _RUN, "Copy the running installation, or check a copy."),
    "restore": ("backup:restore", _RUN, "Bring a stopped installation back from a backup."),
    "trace": ("trace", _LOOK, "Follow one message through every step."),
    "audit": ("audit", _LOOK, "Prove that the record of who did what was not changed."),
    "dlq": ("dead_letters", _LOOK, "List and replay what could not be taken or sent."),
    "rules": ("rules", _LOOK, "Run the live rules on JSON lines from stdin."),
    "evaluate": ("evaluate", _LOOK, "Measure the agent: scenarios, stored answers, real models."),
    "rollup": ("numbers:rollup", _NUMBERS, "Compute every number up to now and publish it."),
    "query": ("numbers:query", _NUMBERS, "Ask the published numbers in SQL."),
    "backfill": ("numbers:backfill", _NUMBERS, "Compute a range again with the schedules' code."),
    "reconcile": ("numbers:reconcile", _NUMBERS, "Compare Postgres and the warehouse, event by event."),
    "score": ("numbers:score", _NUMBERS, "Try another score policy on the past."),
    "bench": ("bench", _NUMBERS, "Run the programs of benchmarks/."),
}
# What is written without a place of its own lies in that folder, the keys and pid files of a first start too.
_PLACE: Final = "let this user write there, or name another place; for the data folder MYCHATFLOW_DATA_DIR=… in .env"
_FULL: Final = frozenset({errno.ENOSPC, errno.EDQUOT})


class _Deferred(TyperCommand):
    """Stands for a command in the help; imports the real one when it is called."""

    def __init__(self, name: str) -> None:
        module, panel, line = _COMMANDS[name]
        super().__init__(name, help=line, rich_help_panel=panel)
        self._module, _, self._attribute = module.partition(":")

    def make_context(self, info_name: str | None, args: list[str], parent: Any = None, **extra: Any) -> Any:
        module = importlib.import_module(f"{_ROOM}.{self._module}")
        real = get_command(getattr(module, self._attribute or "app"))
        return real.make_context(info_name, args, parent=parent, **extra)


class _Commands(TyperGroup):
    """The table above as a group, so that `--help` imports nothing heavy."""

    def __init__(self, **attributes: Any) -> None:
        super().__init__(**attributes | {"commands": {name: _Deferred(name) for name in _COMMANDS}})


app = typer.Typer(
    cls=_Commands,
    name="mychatflow",
    help="WhatsApp AI automation that never loses or doubles a message, with numbers you can trust.",
    epilog="Exit codes: 0 ok, 1 failed, 2 usage, 3 a dependency is down, 4 finished in part, 78 configuration refused, "
    "130 stopped by Ctrl-C.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


@app.callback()
def _root() -> None:
    """Make the app a group; the commands come from the table."""


def main() -> None:
    """The console script: an expected error ends with its cause, the next command and its exit code."""
    try:
        _refuse_unreadable(sys.argv[1:])
        app(prog_name="mychatflow")
    except console.Failure as failure:
        console.complain(failure)
        sys.exit(failure.exit_code)
    except OSError as error:
        if error.filename is None and error.errno not in _FULL:
            raise
        console.complain(_told(error))
        sys.exit(console.FAILED)


def _refuse_unreadable(arguments: Sequence[str]) -> None:
    for argument in arguments:
        try:
            argument.encode()
        except UnicodeEncodeError as error:
            told = argument.encode(errors="backslashreplace").decode()
            raise console.Failure(
                f"{told!r} is not UTF-8", next_step="write it in UTF-8", exit_code=console.USAGE
            ) from error


def _told(error: OSError) -> console.Failure:
    """A disk that is full, a folder that is not ours to write, a file where a folder should be."""
    where = f"{error.filename}: " if error.filename is not None else ""
    step = "free space there, then the same again" if error.errno in _FULL else _PLACE
    return console.Failure(f"{where}{error.strerror}", next_step=step)


if __name__ == "__main__":
    main()
