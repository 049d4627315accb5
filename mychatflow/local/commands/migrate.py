"""`mychatflow migrate`: the database at the newest version, with its roles and the coming months' partitions."""

from datetime import UTC, datetime
from typing import Annotated

import typer

from mychatflow.local import console, setup
from mychatflow.local.commands import loading

app = typer.Typer(add_completion=False)


@app.command()
def migrate(as_json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False) -> None:
    """Bring the database to the newest version; safe to repeat.

    Outside production DATABASE_URL is an administrative login, with which the roles are made. In production it is the
    role that serves tenants, and DATABASE_OWNER_URL migrates.
    """
    revision = setup.migrate(loading.settings(), today=datetime.now(UTC).date())
    if as_json:
        console.give_json({"revision": revision})
    else:
        console.out.print(f"the database is at version {revision}", highlight=False)
