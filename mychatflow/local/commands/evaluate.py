"""`mychatflow evaluate`: how well the agent does, in three tiers, each a program with its own options and exit code."""

import importlib.util
import subprocess
import sys
from typing import Annotated, Final

import typer

from mychatflow.local import console, programs
from mychatflow.local.commands import loading
from mychatflow.local.console import Failure

app = typer.Typer(no_args_is_help=True, add_completion=False)
_Rest = Annotated[list[str] | None, typer.Argument()]
# pytest's own word for it.
_NOTHING_SELECTED: Final = 5
_PASSED_ON: Final = {"ignore_unknown_options": True, "allow_extra_args": True}


@app.callback()
def _tiers() -> None:
    """Measure the agent: its pipeline on scripted models, stored answers on today's rules, real models with a key."""


@app.command()
def scenarios(
    only: Annotated[str | None, typer.Option(help="Those whose file or name holds this.")] = None,
) -> None:
    """Tier 0: every scenario with scripted models. It measures our pipeline and says nothing about a model."""
    if importlib.util.find_spec("pytest") is None:
        raise Failure("pytest is not installed here", next_step="make install", exit_code=console.DEPENDENCY_DOWN)
    command = [sys.executable, "-m", "pytest", "tests/scenarios", "-q", "-p", "no:cacheprovider"]
    done = subprocess.run(command + (["-k", only] if only else []), cwd=programs.CHECKOUT, check=False)
    if done.returncode == _NOTHING_SELECTED:
        raise Failure(f"no scenario's name holds {only!r}", exit_code=console.USAGE)
    if done.returncode != 0:
        raise Failure("a scenario fails: the pipeline does not do as it says")


@app.command(context_settings=_PASSED_ON, add_help_option=False)
def replay(arguments: _Rest = None) -> None:
    """Tier 1: stored answers against today's rules and knowledge, or asked again of another preset."""
    programs.become(loading.settings(), ["-m", "realtime.replay", *(arguments or [])])


@app.command(context_settings=_PASSED_ON, add_help_option=False)
def answers(arguments: _Rest = None) -> None:
    """Tier 2: labelled questions to real models (`--live`) or their recorded answers; accuracy, or not measured."""
    programs.become(loading.settings(), ["-m", "benchmarks.answers", *(arguments or [])])
