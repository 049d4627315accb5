"""The door for the identity provider's events: a Svix signature first, then all or nothing in one transaction."""

import json
from datetime import UTC, datetime
from typing import Any, Final

import sqlalchemy.exc
import structlog
from sqlalchemy.ext.asyncio import AsyncConnection
from starlette.types import Receive, Scope, Send

from mychatflow.settings import Settings
from mychatflow.store import audit, tenants
from mychatflow.store.session import AWAY, Store
from realtime import metrics
from realtime.engine.pool import BROKEN_OFF
from realtime.webhooks import clerk_events, standard
from realtime.webhooks.clerk_events import Malformed, TeamChange
from realtime.webhooks.http import ClientLeft, Room, WebhookRefused, read_body, refusal, taken
from realtime.webhooks.rate_limit import Rate, RateLimiter, client_of
from realtime.webhooks.signature import SignatureRejected

PATH: Final = "/api/webhooks/clerk"
log = structlog.get_logger(__name__)


class ClerkWebhook:
    """A plain ASGI application. Without a secret in the settings nothing is ever taken."""

    def __init__(self, settings: Settings, store: Store, limiter: RateLimiter) -> None:
        secret = settings.clerk_webhook_secret
        # Several, separated by commas, while rotating.
        self._keys = [standard.key_of(one) for one in secret.get_secret_value().split(",")] if secret else []
        self._store = store
        self._limiter = limiter
        self._stranger_rate = Rate.parse(settings.webhook_unsigned_rate)
        self._trusted_proxies = settings.trusted_proxies
        self._room = Room()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            answer = taken(await self._take(scope, receive))
        except WebhookRefused as refused:
            answer = refusal(refused)
        except ClientLeft:
            return
        except (*BROKEN_OFF, *AWAY) as error:
            log.warning("directory event not stored", cause=type(error).__name__)
            metrics.database_errors.labels("directory").inc()
            answer = refusal(WebhookRefused(503, "database_unavailable", retry_after_seconds=2))
        await answer.send(send)
        metrics.answered(answer.status)

    async def _take(self, scope: Scope, receive: Receive) -> str:
        if scope["method"] != "POST":
            raise WebhookRefused(405, "method")
        headers: dict[bytes, list[bytes]] = {}
        for name, value in scope["headers"]:
            headers.setdefault(name, []).append(value)
        length = headers.get(b"content-length", [b""])[0]
        declared = int(length) if length.isdigit() and len(length) < 16 else None
        raw = await read_body(receive, declared=declared, room=self._room)
        now = datetime.now(UTC)
        try:
            standard.verify(headers, raw, self._keys, at=now)
        except SignatureRejected as rejected:
            raise await self._stranger(scope, rejected.reason) from rejected
        try:
            async with self._store.platform_transaction() as transaction:
                changes = await clerk_events.apply(transaction, self._store.key_ring, _read(raw), at=now)
                await self._put_on_record(transaction, changes or [], at=now)
        except (Malformed, sqlalchemy.exc.DataError) as malformed:
            log.warning("directory event not understood", reason=str(malformed)[:100])
            raise WebhookRefused(400, "malformed") from malformed
        return "ignored" if changes is None else "stored"

    async def _put_on_record(self, transaction: AsyncConnection, changes: list[TeamChange], *, at: datetime) -> None:
        """Before they are committed. A tenant that this very event makes begins its record with what comes next."""
        known = await tenants.known_before(transaction, {change.tenant_id for change in changes}) if changes else set()
        if not known:
            return
        async with self._store.audit_transaction() as record:
            for change in changes:
                if change.tenant_id in known:
                    await audit.record(
                        record,
                        change.tenant_id,
                        actor="identity provider",
                        action=change.action,
                        subject=str(change.member_id),
                        detail={"role": change.role} if change.role else {},
                        at=at,
                    )

    async def _stranger(self, scope: Scope, reason: str) -> WebhookRefused:
        subject = f"address:{client_of(scope, trusted_proxies=self._trusted_proxies)}"
        verdict = (await self._limiter.admit({subject: 1}, self._stranger_rate))[subject]
        metrics.webhook_rejections.labels(reason, "stranger").inc()
        if verdict.admitted:
            return WebhookRefused(401, reason)
        return WebhookRefused(429, "too_many", retry_after_seconds=verdict.retry_after_seconds)


def _read(raw: bytes) -> dict[str, Any]:
    try:
        event = json.loads(raw)
    except (ValueError, RecursionError) as error:
        raise Malformed("not JSON") from error
    if not isinstance(event, dict):
        raise Malformed("not an object")
    return event
