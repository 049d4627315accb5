"""Another try for what could not be taken: given back to the door it came through, once."""

import hashlib
import hmac
import time
from datetime import UTC, datetime
from uuid import UUID

import httpx

from mychatflow.settings import Settings
from mychatflow.store import dead_letters
from mychatflow.store.cipher import Unreadable, platform_cipher
from mychatflow.store.session import Store


async def replay(store: Store, loaded: Settings, letter_id: str) -> str | None:
    """Why it could not be replayed, or None; a message that was taken meanwhile is not taken twice."""
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
    try:
        raw = platform_cipher(loaded.master).decrypt(sealed, row_id=wanted).encode()
    except Unreadable:
        return f"{letter_id}: sealed under a key that is not here; bring it back from the copy of your keys"
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
    if not answer.is_success:
        return f"the webhook answered {answer.status_code}"
    # Taken, but as a dead letter once more: it waits as before.
    is_kept = answer.json()["status"] == "kept"
    return "still nobody's: mychatflow instance create, and wait some seconds" if is_kept else None
