"""A POST that is sent twice with the same Idempotency-Key is done once and answered twice."""

import hashlib
from collections.abc import Callable, Coroutine
from typing import Any, Final

from fastapi import Request, Response

from mychatflow.identity import Identity
from mychatflow.store import idempotency_keys
from mychatflow.store.idempotency_keys import Claim, Earlier
from realtime.api.doors import Doors
from realtime.api.problems import Problem

_HEADER: Final = "idempotency-key"
_LONGEST: Final = 200
Handler = Callable[[Request], Coroutine[Any, Any, Response]]


async def once(request: Request, doors: Doors, caller: Identity, handle: Handler) -> Response:
    """Handle the request unless its key is known; only a success is kept, so that a refusal may be mended."""
    key = request.headers.get(_HEADER)
    if request.method != "POST" or key is None:
        return await handle(request)
    if not (0 < len(key) <= _LONGEST and key.isascii() and key.isprintable()):
        raise Problem(400, "malformed", f"Idempotency-Key must be 1 to {_LONGEST} printable ASCII characters.")
    asked = await _fingerprint(request, caller)
    async with doors.store.tenant_transaction(caller.tenant_id) as transaction:
        claimed = await idempotency_keys.claim(transaction, caller.tenant_id, key=key, request_hash=asked)
    if isinstance(claimed, Earlier):
        return await _again(doors, caller, key, asked, claimed)
    # The desk marks it with the change itself.
    request.state.claim = claimed
    is_kept, is_refused = False, False
    try:
        response = await handle(request)
        if response.status_code < 300:
            await _keep(doors, claimed, response)
            is_kept = True
        else:
            is_refused = True
    except Problem:
        is_refused = True
        raise
    finally:
        if not is_kept:
            async with doors.store.tenant_transaction(caller.tenant_id) as transaction:
                await idempotency_keys.forget(transaction, claimed, is_refused=is_refused)
    return response


async def _fingerprint(request: Request, caller: Identity) -> bytes:
    body = await request.body()
    head = f"{caller.actor}\n{request.method}\n{request.url.path}\n{request.url.query}\n"
    return hashlib.sha256(head.encode() + body).digest()


async def _again(doors: Doors, caller: Identity, key: str, asked: bytes, earlier: Earlier) -> Response:
    if earlier.request_hash != asked:
        raise Problem(422, "idempotency_key_reused", "This Idempotency-Key belongs to another request.")
    if earlier.is_lost:
        detail = "The first request with this key was carried out, and its answer was lost: see what it changed."
        raise Problem(409, "answer_lost", detail)
    if earlier.status is None or earlier.response is None:
        raise Problem(409, "still_running", "The first request with this key is still running.")
    async with doors.store.tenant_transaction(caller.tenant_id) as transaction:
        cipher = await doors.store.key_ring.for_tenant(caller.tenant_id, transaction)
    body = cipher.decrypt(earlier.response, row_id=key)
    headers = {"idempotency-replayed": "true"}
    return Response(body, status_code=earlier.status, media_type="application/json" if body else None, headers=headers)


async def _keep(doors: Doors, claimed: Claim, response: Response) -> None:
    # Encrypted: an answer may hold a customer's words or a new key.
    async with doors.store.tenant_transaction(claimed.tenant_id) as transaction:
        cipher = await doors.store.key_ring.for_tenant(claimed.tenant_id, transaction)
        sealed = cipher.encrypt(bytes(response.body).decode(), row_id=claimed.key)
        await idempotency_keys.keep(transaction, claimed, status=response.status_code, response=sealed)
