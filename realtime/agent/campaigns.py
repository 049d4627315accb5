"""Runs the campaigns: freezes the audience of each that started, then hands its messages over at the set pace."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from typing import Final

import psycopg
import structlog
from sqlalchemy.exc import DBAPIError

from mychatflow.rules.template import InvalidTemplate
from mychatflow.store import campaign_freeze, campaign_sends, campaigns, on_record
from mychatflow.store.campaign_sends import Running
from mychatflow.store.campaigns import WrongState
from mychatflow.store.cipher import Unreadable
from mychatflow.store.session import AWAY, Store
from realtime import rounds

_EVERY_SECONDS: Final = 1.0
# So that a large audience keeps nobody else's campaign waiting.
_BATCHES_A_TURN: Final = 10
log = structlog.get_logger(__name__)


class Campaigns:
    def __init__(self, store: Store, ring: Callable[[], None]) -> None:
        self._store = store
        self._ring = ring

    async def run(self, stopping: asyncio.Event) -> None:
        """Until told to stop."""
        await rounds.keep_looking(
            lambda: self.turn(at=datetime.now(UTC)),
            seconds=_EVERY_SECONDS,
            stopping=stopping,
            while_away="campaigns wait for Postgres",
        )

    async def turn(self, *, at: datetime) -> int:
        """One look at every running campaign; returns how many messages were queued."""
        async with self._store.platform_transaction() as transaction:
            waiting = await campaign_sends.running(transaction, at=at)
        sent = 0
        for each in waiting:
            try:
                sent += await self._serve(each, at=at)
            except AWAY:
                raise
            except InvalidTemplate:
                # No later look can mend it: the tenant sees it paused, and resumes or cancels it.
                await self._pause(each, at=at)
            except (DBAPIError, psycopg.IntegrityError, Unreadable) as error:
                # One tenant's campaign must not stop the others', as when somebody of its audience was forgotten; a
                # statement's values belong in no log.
                log.warning("campaign not served", tenant_id=str(each.tenant_id), cause=type(error).__name__)
        if sent:
            self._ring()
        return sent

    async def _serve(self, campaign: Running, *, at: datetime) -> int:
        if not campaign.is_frozen and await self._freeze(campaign, at=at):
            return 0
        async with self._store.tenant_transaction(campaign.tenant_id) as transaction:
            cipher = await self._store.key_ring.for_tenant(campaign.tenant_id, transaction)
            done = await campaign_sends.hand_over(transaction, campaign.tenant_id, campaign.id, cipher=cipher, at=at)
        if done.is_finished:
            log.info("campaign finished", tenant_id=str(campaign.tenant_id), campaign_id=str(campaign.id))
        return done.sent

    async def _pause(self, campaign: Running, *, at: datetime) -> None:
        """Its template or its audience names an attribute that was forgotten since the start."""
        paused = on_record.changing(
            self._store, campaign.tenant_id, actor="system", action="campaign.paused", subject=campaign.id, at=at
        )
        with suppress(WrongState):  # Somebody called it off meanwhile.
            async with paused as change:
                await campaigns.pause(change.transaction, campaign.tenant_id, campaign.id, at=at)
                change.detail["reason"] = "invalid_template"

    async def _freeze(self, campaign: Running, *, at: datetime) -> bool:
        """Whether there is more to freeze in the next turn."""
        for _ in range(_BATCHES_A_TURN):
            async with self._store.tenant_transaction(campaign.tenant_id) as transaction:
                cipher = await self._store.key_ring.for_tenant(campaign.tenant_id, transaction)
                if not await campaign_freeze.freeze_next(
                    transaction, campaign.tenant_id, campaign.id, cipher=cipher, at=at
                ):
                    return False
        return True
