"""`mychatflow trace`: one message through every step, without its text."""

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any, Final

import typer

from mychatflow.local import console
from mychatflow.local.commands import database, loading
from mychatflow.local.console import Failure
from mychatflow.store import traces
from mychatflow.store.session import Store

app = typer.Typer(add_completion=False)
_ACKS: Final = {-1: "failed", 0: "pending", 1: "at the server", 2: "delivered", 3: "read", 4: "played"}


@app.command()
def trace(
    message_id: Annotated[str, typer.Argument(help="The WhatsApp id of a message, incoming or outgoing.")],
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False,
) -> None:
    """Follow one message from the webhook to the ticks."""

    async def work(store: Store) -> dict[str, list[dict[str, Any]]]:
        async with store.platform_transaction() as transaction:
            return await traces.of_message(transaction, message_id)

    found = database.with_store(loading.settings(), work)
    if not any(found.values()):
        raise Failure(f"nothing is known of the message {message_id}", next_step="mychatflow dlq list")
    if as_json:
        console.give_json(found)
    else:
        steps = sorted(_steps(found), key=lambda step: step[0])
        console.give_table(("when (UTC)", "step", "what"), [(_clock(at), step, what) for at, step, what in steps])


def _steps(found: dict[str, list[dict[str, Any]]]) -> list[tuple[Any, str, str]]:
    """Everything with an instant, as lines."""
    steps: list[tuple[Any, str, str]] = []
    for row in found["inbox"]:
        steps += [
            (row["sent_at"], "written", f"{row['kind']} in session {row['session']}"),
            (row["received_at"], "received", f"inbox {row['seq']}, {row['state']}, {row['attempts']} attempts"),
        ]
        if row["done_at"]:
            steps.append((row["done_at"], "done", row["last_error"] or ""))
    for row in found["interactions"]:
        line = f"{row['direction']} {row['type']} by {row['author']}, {row['content_length']} characters"
        steps.append((row["occurred_at"], "message", f"{line}, {row['status']}"))
        if row["trace"]:
            steps += [(row["received_at"], f"· {made['step']}", _decided(made)) for made in row["trace"]]
    for row in found["outbox"]:
        steps.append((row["created_at"], "outbox", f"{row['kind']} {row['outbox_id']}{_unsent(row)}"))
        if row["sent_at"]:
            steps.append((row["sent_at"], "sent", f"{row['state']} after {row['attempts']} attempts"))
    for row in found["statuses"]:
        steps.append((row["occurred_at"], "ack", _ACKS.get(row["ack"], str(row["ack"]))))
    for row in found["events"]:
        steps.append((row["occurred_at"], row["event_type"], _facts(row["properties"])))
    return steps


def _unsent(row: Mapping[str, Any]) -> str:
    if row["sent_at"]:
        return ""
    return f", {row['state']}" + (f" ({row['last_error']})" if row["last_error"] else "")


def _clock(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M:%S}.{at.microsecond // 1000:03}"


def _decided(made: Mapping[str, Any]) -> str:
    """The decision, why, what else is known of it, and how long it took."""
    rest = {name: value for name, value in made.items() if name not in {"step", "decision", "why", "ms"}}
    why = f" ({made['why']})" if made.get("why") else ""
    return f"{made['decision']}{why} {_facts(rest | {'ms': made.get('ms')})}".rstrip()


def _facts(known: Mapping[str, Any]) -> str:
    return " ".join(f"{name}={console.shown(value)}" for name, value in known.items() if value not in (None, [], {}))
