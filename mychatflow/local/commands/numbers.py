"""The commands about numbers: each becomes its program, whose options, output and exit code it has."""

from typing import Annotated

import typer

from mychatflow.local import programs
from mychatflow.local.commands import loading

_Rest = Annotated[list[str] | None, typer.Argument()]


def _passed_on(module: str, name: str | None = None) -> typer.Typer:
    app = typer.Typer(no_args_is_help=name is not None, add_completion=False)

    @app.command(
        name,
        context_settings={"ignore_unknown_options": True, "allow_extra_args": True},
        # `--help` is the program's to answer.
        add_help_option=False,
    )
    def run(arguments: _Rest = None) -> None:
        programs.become(loading.settings(), ["-m", module, *(arguments or [])])

    return app


rollup = _passed_on("pipelines.rollup")
query = _passed_on("warehouse.query")
backfill = _passed_on("pipelines.backfill")
reconcile = _passed_on("pipelines.reconcile")
score = _passed_on("warehouse.score_replay", "replay")


@score.callback()
def _scores() -> None:
    """Try another score policy on the past; nothing live changes."""
