"""`mychatflow dlq`: what could not be taken or sent, and another try for it."""

from typing import Annotated

import typer

from mychatflow.local import console
from mychatflow.local import replay as replaying
from mychatflow.local.commands import database, loading
from mychatflow.local.console import Failure
from mychatflow.store import dead_letters
from mychatflow.store.dead_letters import Letter
from mychatflow.store.session import Store

app = typer.Typer(no_args_is_help=True, add_completion=False)


@app.callback()
def _group() -> None:
    """List and replay what could not be taken or sent."""


@app.command("list")
def list_(as_json: Annotated[bool, typer.Option("--json", help="One JSON object a line.")] = False) -> None:
    """Dead letters and parked messages, newest first."""

    async def work(store: Store) -> list[Letter]:
        async with store.platform_transaction() as transaction:
            return await dead_letters.waiting(transaction)

    letters = database.with_store(loading.settings(), work)
    names = ("letter_id", "source", "session", "message_id", "reason", "received_at")
    rows = [tuple(getattr(letter, name) for name in names) for letter in letters]
    if as_json:
        for row in rows:
            console.give_json(dict(zip(names, row, strict=True)))
    elif rows:
        console.give_table(names, rows)
    else:
        console.say("no dead letters")


@app.command()
def replay(ids: Annotated[list[str], typer.Argument(help="From `mychatflow dlq list`.")]) -> None:
    """Give them back to the door they came through; a message that was taken meanwhile is not taken twice."""
    loaded = loading.settings()

    async def work(store: Store) -> list[str]:
        return [reason for letter_id in ids if (reason := await replaying.replay(store, loaded, letter_id))]

    reasons = database.with_store(loaded, work)
    if reasons:
        code = console.FAILED if len(reasons) == len(ids) else console.PARTIAL
        raise Failure("\n".join(reasons), next_step="mychatflow dlq list", exit_code=code)
    console.say(f"replayed {len(ids)}")
