"""What goes wrong beside all that: models, numbers, webhooks and the gateway fail for seconds, and processes die."""

import asyncio
import random
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from sqlalchemy import text

from mychatflow.local.phone.records import SessionStatus
from mychatflow.store.session import AWAY, Store
from tests.chaos.cluster import Keeper
from tests.fakes.llm import FakeModels
from tests.fakes.llm_faults import STATUS
from tests.fakes.waha import FakeWaha
from tests.turmoil.business import Business

_PAUSE_SECONDS: Final = (2.0, 6.0)
_KINDS: Final = ("models", "number", "suspension", "gateway", "webhooks")
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
        while True:
            try:
                async with self.store.platform_transaction() as transaction:
                    await transaction.execute(_SUSPEND, values)
            except AWAY:
                await asyncio.sleep(0.5)
            else:
                return

    async def _gateway(self) -> None:
        kind = self.chance.choice(("reset_after", "500_before", "503_before"))
        self.gateway.faults.share(kind, 0.3)
        await self._a_while()
        self.gateway.faults.clear()

    async def _kill(self) -> None:
        self.keepers[self.chance.choice(sorted(self.keepers))].kill()
