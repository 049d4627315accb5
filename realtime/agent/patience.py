"""How long one turn is patient with a customer who writes on, and what it keeps from one start to the next."""

import asyncio
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Final
from uuid import UUID, uuid4

from mychatflow.rules import settling
from realtime.agent import reading
from realtime.agent.ledger import Ledger
from realtime.agent.scene import Scene
from realtime.agent.tenants import Tenant
from realtime.agent.trace import Trace
from realtime.channels.waha import make_message_id
from realtime.engine.commit import Newer
from realtime.engine.facts import Facts
from realtime.engine.work import Chat

# A customer who keeps writing is answered at last: no more fresh starts than these, nor later than this.
_FRESH_STARTS: Final = 3
_LATEST: Final = 10.0


@dataclass(slots=True)
class Patience:
    """How often a turn began anew because the customer wrote on, and what its models cost so far."""

    began: float = field(default_factory=time.monotonic)
    starts: int = 0
    ledger: Ledger = field(default_factory=Ledger)
    trace: Trace = field(default_factory=Trace)
    turn_id: UUID = field(default_factory=uuid4)

    @property
    def newer(self) -> Newer:
        """Which messages that came meanwhile void a draft.

        What the customer wrote before its last question always does: answered later, it were answered out of order.
        """
        has_time = time.monotonic() - self.began < _LATEST
        return "any" if self.starts < _FRESH_STARTS and has_time else "earlier"

    async def settle(self, chat: Chat, tenant: Tenant) -> bool:
        """Wait until the chat has settled; True when that took time, in which more may have come.

        A chat that is claimed when it is due has settled. One that is overdue, inherited from a dead worker, or begun
        anew because the customer wrote on, may not have: what came last may be ahead of a message whose webhook is
        tried again. A webhook that waited for Postgres counts from when its message was stored.
        """
        settle = timedelta(milliseconds=tenant.switches.debounce_ms)
        received = [row.received_at for row in chat.inbox if row.kind == "message" and not row.is_own]
        if received and chat.lease.written_at:
            received.append(chat.lease.written_at)
        settled_at = settling.settled_at(received, settle=settle)
        if settled_at is None:
            return False
        # Whatever two machines' clocks say, nobody waits longer than after a message of this moment.
        rest = min(settled_at - datetime.now(UTC), settle)
        if rest <= timedelta(0):
            return False
        await asyncio.sleep(rest.total_seconds())
        return True

    def scene(
        self,
        chat: Chat,
        tenant: Tenant,
        read: reading.Reading,
        understood: reading.Understanding,
        facts: Facts,
        *,
        at: datetime,
    ) -> Scene:
        known_episode = chat.episode.id if chat.episode else None
        return Scene(
            chat=chat,
            tenant=tenant,
            contact_id=facts.contact.id,
            episode_id=facts.episode.id if facts.episode else known_episode,
            reading=read,
            understanding=understood,
            ledger=self.ledger,
            trace=self.trace,
            turn_id=self.turn_id,
            at=at,
            message_id=make_message_id() if chat.number.keeps_ids else None,
        )
