"""The door for the WhatsApp gateway: a message is stored before its webhook hears 200."""

import functools
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Final
from uuid import UUID

import msgspec
import psycopg
import structlog
from prometheus_client import Counter
from starlette.types import Receive, Scope, Send

from realtime import metrics, tracing
from realtime.engine.accept import Acceptor, RateExceeded
from realtime.engine.pool import BROKEN_OFF
from realtime.spans import Span
from realtime.webhooks import envelope as wire
from realtime.webhooks.arrivals import arrival_of
from realtime.webhooks.dead_letters import DeadLetters
from realtime.webhooks.directory import Directory, Instance
from realtime.webhooks.duplicates import Duplicates
from realtime.webhooks.http import Answer, ClientLeft, Room, WebhookRefused, read_body, refusal, taken
from realtime.webhooks.messages import IncomingMessage
from realtime.webhooks.normalise import Ignored, known_event, normalise
from realtime.webhooks.rate_limit import Rate, RateLimiter, client_of
from realtime.webhooks.signature import SignatureRejected, Signed, verify, verify_age
from realtime.webhooks.spent import Spent

PATH: Final = "/api/webhooks/whatsapp"
_ANSWERS: Final = {outcome: taken(outcome) for outcome in ("stored", "known", "ignored", "kept")}
# The second is what many a client says when it says nothing.
_TYPES: Final = (b"application/json", b"application/octet-stream", None)
_TRICKLE_SECONDS: Final = 0.1
log = structlog.get_logger(__name__)


class _Head(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """The request headers that matter here, collected in one pass."""

    signed: Signed
    content_type: bytes | None
    encoding: bytes | None
    length: int | None
    scope: Scope


class WhatsAppWebhook:
    """A plain ASGI application. Order: size, signature, age, rate and storage together."""

    def __init__(
        self,
        *,
        directory: Directory,
        acceptor: Acceptor,
        dead_letters: DeadLetters,
        duplicates: Duplicates,
        limiter: RateLimiter,
        default_keys: Sequence[bytes],
        stranger_rate: Rate,
        instance_rate: Rate,
        trusted_proxies: int,
    ) -> None:
        self._directory = directory
        self._acceptor = acceptor
        self._dead_letters = dead_letters
        self._duplicates = duplicates
        self._limiter = limiter
        self._default_keys = tuple(default_keys)
        self._stranger_rate = stranger_rate
        self._instance_rate = instance_rate
        self._trusted_proxies = trusted_proxies
        self._room = Room()
        self._spent: Spent[UUID] = Spent()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        began = time.perf_counter()
        try:
            answer = _ANSWERS[await self._take(scope, receive)]
        except WebhookRefused as refused:
            answer = refusal(refused)
        except ClientLeft:
            return
        except BROKEN_OFF as error:
            # Never 200 without a commit: the gateway keeps the message and comes again.
            log.warning("webhook not stored", cause=type(error).__name__)
            metrics.webhooks.labels("other", "database_down").inc()
            metrics.database_errors.labels("webhook").inc()
            answer = database_down()
        await answer.send_whole(scope, send)
        metrics.answered(answer.status)
        metrics.webhook_seconds.observe(time.perf_counter() - began)

    async def _take(self, scope: Scope, receive: Receive) -> str:
        if scope["method"] != "POST":
            raise WebhookRefused(405, "method")
        head = _head(scope)
        if head.encoding not in {None, b"identity"}:
            raise WebhookRefused(415, "encoding")
        raw = await read_body(receive, declared=head.length, room=self._room)
        envelope, instance = await self._authenticated(head, raw)
        if head.content_type not in _TYPES:
            raise WebhookRefused(415, "content_type")
        if instance is None and self._directory.has_ended(envelope.session):
            # Nobody is there to read it, today or tomorrow: it is a customer's word, so it is not kept.
            metrics.webhook_rejections.labels("business_ended", "known").inc()
            return _counted(envelope.event, "ignored")
        if instance is None:
            # A 4xx would make the gateway try fifteen times; an operator may know the session tomorrow.
            await self._keep(envelope, raw, of=None, message_id=envelope.id, reason="unknown session")
            metrics.dead_letters.labels("unknown_session").inc()
            return _counted(envelope.event, "kept")
        return await self._store(envelope, instance, raw)

    async def _authenticated(self, head: _Head, raw: bytes) -> tuple[wire.Envelope, Instance | None]:
        """The envelope and the number whose key signed it."""
        if head.signed.is_unsigned:
            raise await self._stranger(head, WebhookRefused(401, "missing"))
        try:
            envelope = wire.read(raw)
            is_known, instance = self._directory.remembered(envelope.session)
            if not is_known:
                instance = await self._directory.find(envelope.session)
            # Whether the session exists or not, the same work is done: the time must not tell.
            verify(head.signed, raw, (instance.webhook_keys if instance else ()) or self._default_keys)
            verify_age(head.signed, envelope.timestamp, at=datetime.now(UTC))
        except SignatureRejected as rejected:
            raise await self._stranger(head, WebhookRefused(401, rejected.reason)) from rejected
        except wire.Malformed as malformed:
            raise await self._unreadable(head, raw, malformed) from malformed
        return envelope, instance

    async def _unreadable(self, head: _Head, raw: bytes, malformed: wire.Malformed) -> WebhookRefused:
        refused = WebhookRefused(400, "malformed")
        try:
            verify(head.signed, raw, self._default_keys)
        except SignatureRejected:
            # Which number's key it might be signed with cannot be read, so it counts as a stranger's.
            return await self._stranger(head, refused)
        log.info("webhook malformed", reason=malformed.reason[:100])
        _counted("other", "malformed")
        return refused

    async def _stranger(self, head: _Head, refused: WebhookRefused) -> WebhookRefused:
        """That refusal, or 429 for an address that has had too many."""
        address = client_of(head.scope, trusted_proxies=self._trusted_proxies)
        verdict = (await self._limiter.admit({f"address:{address}": 1}, self._stranger_rate))[f"address:{address}"]
        metrics.webhook_rejections.labels(refused.reason, "stranger").inc()
        if verdict.admitted:
            return refused
        return WebhookRefused(429, "too_many", retry_after_seconds=verdict.retry_after_seconds)

    async def _store(self, envelope: wire.Envelope, instance: Instance, raw: bytes) -> str:
        # Only who signs with its key can have spent it: what a stranger sends in a number's name stops above.
        if seconds := self._spent.seconds_left(instance.instance_id):
            raise _too_many(envelope.event, seconds)
        received_at = datetime.now(UTC)
        try:
            message = normalise(envelope, received_at=received_at)
        except wire.Malformed as malformed:
            # Signed by a number of ours, so perhaps a version we do not know yet: refused, but not lost.
            log.warning(
                "webhook payload not understood",
                webhook_event=known_event(envelope.event),
                instance_id=str(instance.instance_id),
            )
            reason = f"malformed: {malformed.reason[:150]}"
            await self._keep(envelope, raw, of=instance, message_id=envelope.id, reason=reason)
            _counted(envelope.event, "malformed")
            metrics.dead_letters.labels("malformed").inc()
            metrics.webhook_failed(instance.instance_id)
            raise WebhookRefused(400, "malformed") from malformed
        if isinstance(message, Ignored):
            metrics.webhook_rejections.labels(message.reason, "known").inc()
            return _counted(envelope.event, "ignored")
        try:
            outcome = await self._acceptor.accept(
                arrival_of(message, instance, received_at=received_at, trace_id=envelope.id)
            )
        except RateExceeded as exceeded:
            told = exceeded.retry_after_seconds
            # A second is rounded up from anything: what a window lets in again in so long must not come as one batch.
            self._spent.remember(instance.instance_id, told if told > 1 else _TRICKLE_SECONDS)
            raise _too_many(envelope.event, told) from exceeded
        except (psycopg.DataError, psycopg.IntegrityError) as error:
            # Postgres will never take this row, however often the gateway comes again.
            reason = f"refused: {type(error).__name__}"
            metrics.dead_letters.labels("refused").inc()
            metrics.webhook_failed(instance.instance_id)
            metrics.database_errors.labels("webhook").inc()
            await self._keep(envelope, raw, of=instance, message_id=message.inbox_id, reason=reason)
            return _counted(envelope.event, "kept")
        if isinstance(message, IncomingMessage):
            if tracing.is_on() and outcome == "stored" and not message.from_me:
                _traced(envelope, instance, message, received_at)
            self._duplicates.look(message, instance, is_first=outcome == "stored")
        return _counted(envelope.event, outcome)

    async def _keep(
        self, envelope: wire.Envelope, raw: bytes, *, of: Instance | None, message_id: str | None, reason: str
    ) -> None:
        """As a dead letter; a flood of them fills no table, what comes beyond the rate is told to come again.

        A number may send few that nobody understands. Those of numbers that nobody knows may be all of a number's.
        """
        subject = f"letters:{of.instance_id if of else 'unknown'}"
        rate = self._stranger_rate if of else self._instance_rate
        verdict = (await self._limiter.admit({subject: 1}, rate))[subject]
        if not verdict.admitted:
            raise _too_many(envelope.event, verdict.retry_after_seconds)
        await self._dead_letters.keep(raw, session=envelope.session, message_id=message_id, reason=reason)


def _head(scope: Scope) -> _Head:
    found: dict[bytes, tuple[bytes, ...]] = {}
    for name, value in scope["headers"]:
        if name in _HEADERS:
            found[name] = (*found[name], value) if name in found else (value,)
    length = found.get(b"content-length", (b"",))[0]
    content_type = found.get(b"content-type")
    encoding = found.get(b"content-encoding")
    return _Head(
        signed=Signed(
            gateway=found.get(b"x-webhook-hmac", ()),
            algorithms=found.get(b"x-webhook-hmac-algorithm", ()),
            standard=found.get(b"x-webhook-signature", ()),
            timestamps=found.get(b"x-webhook-timestamp", ()),
        ),
        content_type=content_type[0].partition(b";")[0].strip().lower() if content_type else None,
        encoding=b",".join(encoding).strip().lower() if encoding else None,
        length=int(length) if length.isdigit() else None,
        scope=scope,
    )


def _traced(envelope: wire.Envelope, instance: Instance, message: IncomingMessage, received_at: datetime) -> None:
    attributes = {"event": known_event(envelope.event), "tenant_id": str(instance.tenant_id)}
    ended = datetime.now(UTC).timestamp()
    root = Span(name="webhook", began=received_at.timestamp(), ended=ended, attributes=attributes, is_root=True)
    tracing.record(instance.session, message.inbox_id, root)


def _counted(event: str, outcome: str) -> str:
    _counter(known_event(event), outcome).inc()
    return outcome


@functools.cache
def _counter(event: str, outcome: str) -> Counter:
    # Both are of a fixed few values; finding the child anew costs several microseconds a webhook.
    return metrics.webhooks.labels(event, outcome)


def _too_many(event: str, seconds: int) -> WebhookRefused:
    _counted(event, "too_many")
    return WebhookRefused(429, "too_many", retry_after_seconds=seconds)


def database_down() -> Answer:
    return refusal(WebhookRefused(503, "database_unavailable", retry_after_seconds=2))


_HEADERS: Final = frozenset(
    {
        b"content-length",
        b"content-type",
        b"content-encoding",
        b"x-webhook-hmac",
        b"x-webhook-hmac-algorithm",
        b"x-webhook-signature",
        b"x-webhook-timestamp",
    }
)
