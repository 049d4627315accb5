"""What goes wrong beside all that: models, numbers, webhooks and the gateway fail for seconds, and processes die."""

import asyncio
import contextlib
import random
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Final
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from mychatflow.local.phone.records import SessionStatus
from mychatflow.store import tenant_keys
from mychatflow.store.cipher import CACHED_SECONDS
from mychatflow.store.session import AWAY, Store
from mychatflow.store.tenant_keys import RotationRefused
from tests.chaos.cluster import Keeper
from tests.fakes.llm import FakeModels
from tests.fakes.llm_faults import STATUS
from tests.fakes.waha import FakeWaha
from tests.turmoil.business import Business

_PAUSE_SECONDS: Final = (2.0, 6.0)
_KINDS: Final = ("models", "number", "suspension", "gateway", "webhooks", "keys")
# All processes have learnt a prepared key by then, as `mychatflow keys rotate` waits.
_LEARNT_SECONDS: Final = 2 * CACHED_SECONDS
_SUSPEND: Final = text("update tenants set suspended_at = case when :is_on then now() end where id = :tenant_id")


@dataclass(slots=True, kw_only=True)
class Trouble:
    """`keepers` are the processes that may be killed; none where nothing is."""

    store: Store
    gateway: FakeWaha
    models: FakeModels
    businesses: Sequence[Business]
    keepers: Mapping[str, Keeper]
    chance: random.Random
    done: Counter[str]
    _prepared: dict[UUID, float] = field(default_factory=dict)

    async def strike(self, until: float) -> None:
        """Until that moment of the monotonic clock; each trouble is over when the next begins."""
        while time.monotonic() < until:
            await asyncio.sleep(self.chance.uniform(*_PAUSE_SECONDS))
            kind = self.chance.choice((*_KINDS, "kill", "kill", "kill") if self.keepers else _KINDS)
            await getattr(self, f"_{kind}")()
            self.done[f"trouble {kind}"] += 1

    async def _a_while(self) -> None:
        await asyncio.sleep(self.chance.uniform(1, 4))

    def _session(self) -> str:
        return self.chance.choice([session for each in self.businesses for session in each.sessions])

    async def _models(self) -> None:
        provider = self.chance.choice(("openai", "anthropic"))
        self.models.fail(provider, self.chance.choice(list(STATUS)))
        await self._a_while()
        self.models.providers[provider].fault = None

    async def _number(self) -> None:
        session = self._session()
        self.gateway.set_status(SessionStatus.STOPPED, session=session)
        await self._a_while()
        self.gateway.set_status(SessionStatus.WORKING, session=session)

    async def _webhooks(self) -> None:
        """Nobody hears of a number for a while, and then that it works again: its history tells the rest."""
        session = self._session()
        self.gateway.lose_webhooks(session)
        await self._a_while()
        self.gateway.find_webhooks(session)
        self.gateway.set_status(SessionStatus.STOPPED, session=session)
        self.gateway.set_status(SessionStatus.WORKING, session=session)

    async def _suspension(self) -> None:
        tenant_id = self.chance.choice(self.businesses).tenant.tenant_id
        for is_on in (True, False):
            await self._suspend(tenant_id=tenant_id, is_on=is_on)
            await self._a_while()

    async def _suspend(self, **values: object) -> None:
        await self._insist(lambda transaction: transaction.execute(_SUSPEND, values))

    async def _insist(self, act: Callable[[AsyncConnection], Awaitable[object]]) -> None:
        while True:
            try:
                async with self.store.platform_transaction() as transaction:
                    await act(transaction)
            except AWAY:
                await asyncio.sleep(0.5)
            else:
                return

    async def _keys(self) -> None:
        """A business gets a new key, or begins to write with the one that an earlier visit brought."""
        now = time.monotonic()
        learnt = [tenant_id for tenant_id, since in self._prepared.items() if now > since + _LEARNT_SECONDS]
        # A business that was given up has no key to follow.
        with contextlib.suppress(RotationRefused):
            if learnt:
                del self._prepared[learnt[0]]
                await self._insist(partial(tenant_keys.activate, tenant_id=learnt[0]))
                self.done["trouble key in use"] += 1
            else:
                tenant_id = self.chance.choice(self.businesses).tenant.tenant_id
                await self._insist(partial(tenant_keys.prepare, key_ring=self.store.key_ring, tenant_id=tenant_id))
                self._prepared[tenant_id] = now

    async def _gateway(self) -> None:
        kind = self.chance.choice(("reset_after", "500_before", "503_before"))
        self.gateway.faults.share(kind, 0.3)
        await self._a_while()
        self.gateway.faults.clear()

    async def _kill(self) -> None:
        self.keepers[self.chance.choice(sorted(self.keepers))].kill()
