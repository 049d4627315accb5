"""`mychatflow dlq`: what could not be taken or sent, and another try for it."""

import hashlib
import hmac
import time
from datetime import UTC, datetime
from typing import Annotated
from uuid import UUID

import httpx
import typer

from mychatflow.local import console
from mychatflow.local.commands import loading
from mychatflow.local.console import Failure
from mychatflow.settings import Settings
from mychatflow.store import dead_letters
from mychatflow.store.cipher import platform_cipher
from mychatflow.store.dead_letters import Letter
from mychatflow.store.session import Store

app = typer.Typer(no_args_is_help=True)


@app.callback()
def _group() -> None:
    """List and replay what could not be taken or sent."""


@app.command("list")
def list_(as_json: Annotated[bool, typer.Option("--json", help="One JSON object a line.")] = False) -> None:
    """Dead letters and parked messages, newest first."""

    async def work(store: Store) -> list[Letter]:
        async with store.platform_transaction() as transaction:
            return await dead_letters.waiting(transaction)

    letters = loading.with_store(loading.settings(), work)
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
        return [reason for letter_id in ids if (reason := await _replay(store, loaded, letter_id))]

    reasons = loading.with_store(loaded, work)
    if reasons:
        code = console.FAILED if len(reasons) == len(ids) else console.PARTIAL
        raise Failure("\n".join(reasons), next_step="mychatflow dlq list", exit_code=code)
    console.say(f"replayed {len(ids)}")


async def _replay(store: Store, loaded: Settings, letter_id: str) -> str | None:
    """Why it could not be replayed, or None."""
    now = datetime.now(UTC)
    kind, _, seq = letter_id.partition(":")
    if kind == "inbox" and seq.isdigit():
        async with store.platform_transaction() as transaction:
            is_reopened = await dead_letters.reopen(transaction, int(seq), at=now)
        return None if is_reopened else f"{letter_id}: not parked"
    try:
        wanted = UUID(letter_id)
    except ValueError:
        return f"{letter_id}: no such letter"
    async with store.platform_transaction() as transaction:
        sealed = await dead_letters.payload(transaction, wanted)
    if sealed is None:
        return f"{letter_id}: no such letter, or replayed already"
    raw = platform_cipher(loaded.master).decrypt(sealed, row_id=wanted).encode()
    refusal = await _post(loaded, raw)
    if refusal is None:
        async with store.platform_transaction() as transaction:
            await dead_letters.replayed(transaction, wanted, at=now)
        return None
    return f"{letter_id}: {refusal}"


async def _post(loaded: Settings, raw: bytes) -> str | None:
    """Sign the kept bytes anew and post them to our own webhook; why that failed, or None."""
    headers = {
        "Content-Type": "application/json",
        "X-Webhook-Hmac": hmac.new(loaded.webhook_secrets[0], raw, hashlib.sha512).hexdigest(),
        "X-Webhook-Hmac-Algorithm": "sha512",
        "X-Webhook-Timestamp": str(int(time.time() * 1000)),
    }
    async with httpx.AsyncClient(timeout=10, trust_env=False) as client:
        try:
            answer = await client.post(loaded.webhook_url, content=raw, headers=headers)
        except httpx.HTTPError as error:
            return f"the webhook does not answer ({type(error).__name__}): mychatflow up"
    return None if answer.is_success else f"the webhook answered {answer.status_code}"
