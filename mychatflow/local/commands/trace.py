"""`mychatflow trace`: one message through every step, without its text."""

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
        console.give_table(("when", "step", "what"), sorted(_steps(found), key=lambda step: str(step[0])))


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
            steps.append((row["received_at"], "decisions", console.shown(row["trace"])))
    for row in found["outbox"]:
        steps.append((row["created_at"], "outbox", f"{row['kind']} {row['outbox_id']}"))
        if row["sent_at"]:
            steps.append((row["sent_at"], "sent", f"{row['state']} after {row['attempts']} attempts"))
    for row in found["statuses"]:
        steps.append((row["occurred_at"], "ack", _ACKS.get(row["ack"], str(row["ack"]))))
    for row in found["events"]:
        steps.append((row["occurred_at"], row["event_type"], console.shown(row["properties"])))
    return steps
