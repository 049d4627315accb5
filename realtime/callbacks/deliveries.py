"""Tells endpoints of what happened, each at its own pace: one that hangs holds up nobody else."""

import asyncio
import json
import random
from datetime import UTC, datetime
from functools import partial
from itertools import groupby
from operator import attrgetter
from typing import Final
from uuid import UUID

import structlog
from sqlalchemy.ext.asyncio import AsyncConnection

from mychatflow.rules import webhook_delivery
from mychatflow.settings import Settings
from mychatflow.store import audit, webhook_deliveries
from mychatflow.store.cipher import Unreadable
from mychatflow.store.session import AWAY, Store
from mychatflow.store.webhook_deliveries import Delivery
from realtime import rounds
from realtime.callbacks.post import Answer, Post
from realtime.webhooks import standard

_EVERY_SECONDS: Final = 1.0
# At once to one endpoint, and between two such handfuls: 80 a second of each worker's to whoever takes them all.
_MOST_EACH: Final = 8
_REST_SECONDS: Final = 0.1
log = structlog.get_logger(__name__)


class Deliveries:
    def __init__(self, store: Store, settings: Settings) -> None:
        self._store = store
        self._settings = settings
        self._under_way: dict[UUID, asyncio.Task[None]] = {}
        self._is_stopping = False

    async def run(self, stopping: asyncio.Event) -> None:
        """Until told to stop; then what is under way ends."""
        async with Post(self._settings) as post:
            await rounds.keep_looking(
                lambda: self.tell(post),
                seconds=_EVERY_SECONDS,
                stopping=stopping,
                while_away="webhooks wait for Postgres",
            )
            self._is_stopping = True
            await self.settled()

    async def tell(self, post: Post) -> bool:
        """Begin what is due; whether more facts wait to be handed out."""
        async with self._store.platform_transaction() as transaction:
            has_more = await webhook_deliveries.fan_out(transaction, at=datetime.now(UTC))
        async with self._store.platform_transaction() as transaction:
            due = await webhook_deliveries.claim(
                transaction, busy=list(self._under_way), most=_MOST_EACH, at=datetime.now(UTC)
            )
        by_endpoint = attrgetter("endpoint_id")
        for endpoint_id, deliveries in groupby(sorted(due, key=by_endpoint), key=by_endpoint):
            task = asyncio.create_task(self._tell_one(post, list(deliveries)))
            self._under_way[endpoint_id] = task
            task.add_done_callback(partial(self._ended, endpoint_id))
        return has_more

    def _ended(self, endpoint_id: UUID, _: asyncio.Task[None]) -> None:
        del self._under_way[endpoint_id]

    async def settled(self) -> None:
        """Wait for all that is under way."""
        await asyncio.gather(*self._under_way.values())

    async def _tell_one(self, post: Post, deliveries: list[Delivery]) -> None:
        """All of one endpoint. What could not be put on record is due again in a minute."""
        try:
            while deliveries:
                keys = await self._keys(deliveries[0])
                answers = await asyncio.gather(*(_send(post, each, keys) for each in deliveries))
                async with self._store.platform_transaction() as transaction:
                    for delivery, answer in zip(deliveries, answers, strict=True):
                        await self._settle(transaction, delivery, answer)
                deliveries = await self._more(deliveries, answers)
        except AWAY as error:
            log.warning("webhooks wait for Postgres", cause=type(error).__name__)

    async def _more(self, told: list[Delivery], answers: list[Answer]) -> list[Delivery]:
        """The next of an endpoint that took all it could be given; whoever fails waits for the next look."""
        if len(told) < _MOST_EACH or not all(webhook_delivery.is_taken(answer.status) for answer in answers):
            return []
        await asyncio.sleep(_REST_SECONDS)
        if self._is_stopping:
            return []
        async with self._store.platform_transaction() as transaction:
            return await webhook_deliveries.claim(
                transaction, only=told[0].endpoint_id, most=_MOST_EACH, at=datetime.now(UTC)
            )

    async def _keys(self, delivery: Delivery) -> list[bytes]:
        """Its endpoint's secrets; none when the tenant's keys are gone."""
        sealed = filter(None, (delivery.secret, delivery.previous_secret))
        try:
            async with self._store.tenant_transaction(delivery.tenant_id) as transaction:
                cipher = await self._store.key_ring.for_tenant(delivery.tenant_id, transaction)
            return [standard.key_of(cipher.decrypt(each, row_id=delivery.endpoint_id)) for each in sealed]
        except Unreadable:
            return []

    async def _settle(self, transaction: AsyncConnection, delivery: Delivery, answer: Answer) -> None:
        at = datetime.now(UTC)
        is_taken = webhook_delivery.is_taken(answer.status)
        again_at = None
        if not is_taken and delivery.event is not None:
            again_at = webhook_delivery.next_try(delivery.attempts, at=at, spread=random.random())
        await webhook_deliveries.settle(
            transaction,
            delivery,
            is_taken=is_taken,
            again_at=again_at,
            status=answer.status,
            error=answer.error,
            duration_ms=answer.duration_ms,
            at=at,
        )
        if is_taken:
            return
        reason = webhook_delivery.switched_off(answer.status, failing_since=delivery.failing_since, at=at)
        if reason and await webhook_deliveries.switch_off(transaction, delivery, reason=reason):
            await self._put_on_record(delivery, reason, at=at)
        log.info("webhook not taken", endpoint_id=str(delivery.endpoint_id), status=answer.status, error=answer.error)

    async def _put_on_record(self, delivery: Delivery, reason: str, *, at: datetime) -> None:
        async with self._store.audit_transaction() as record:
            await audit.record(
                record,
                delivery.tenant_id,
                actor="system",
                action="webhook_endpoint.switched_off",
                subject=str(delivery.endpoint_id),
                detail={"reason": reason},
                at=at,
            )


async def _send(post: Post, delivery: Delivery, keys: list[bytes]) -> Answer:
    if delivery.event is None:
        return Answer(status=None, error="event_no_longer_kept", duration_ms=0)
    if not keys:
        return Answer(status=None, error="secret_unreadable", duration_ms=0)
    body = body_of(delivery)
    return await post.send(delivery.url, body, event_id=delivery.event_id, keys=keys, at=datetime.now(UTC))


def body_of(delivery: Delivery) -> bytes:
    """Ids and numbers, as the fact is kept: no words, no phone number."""
    event = dict(delivery.event or {})
    told = {"id": str(delivery.event_id), "type": event.pop("event_type"), "timestamp": event.pop("occurred_at")}
    return json.dumps(told | {"data": event}, separators=(",", ":")).encode()
