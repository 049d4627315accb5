"""Puts every change of a breaker into Postgres within seconds, whether or not the turn that saw it ever ends."""

import asyncio
from collections.abc import Mapping
from typing import Final, cast

import redis.asyncio
import structlog
from redis.exceptions import RedisError

from mychatflow.events import BREAKER_HISTORY
from mychatflow.store import operations
from mychatflow.store.operations import BreakerChange
from mychatflow.store.session import Store
from realtime import rounds
from realtime.llm import breaker
from realtime.llm.contract import BreakerTransition, CircuitState
from realtime.llm.script import moment

_EVERY_SECONDS: Final = 1.0
_MOST: Final = 500
log = structlog.get_logger(__name__)


class BreakerRecord:
    """Reads the stream that `breaker.lua` writes. Each worker reads all of it: a change has one id, so one row."""

    def __init__(self, store: Store, redis_address: str) -> None:
        self._store = store
        self._address = redis_address
        # From the oldest entry that Redis still has: nothing is missed while no worker runs.
        self._after = "0"

    async def run(self, stopping: asyncio.Event) -> None:
        """Until told to stop."""
        async with breaker.connect(self._address) as client:
            await rounds.keep_looking(
                lambda: self.keep(client),
                seconds=_EVERY_SECONDS,
                stopping=stopping,
                while_away="breaker record waits for Postgres",
            )

    async def keep(self, client: redis.asyncio.Redis) -> bool:
        """What came since the last look; True when there may be more. Without Redis, turns bring their own changes."""
        try:
            found = await client.xrange(BREAKER_HISTORY, min=f"({self._after}", count=_MOST)
        except (RedisError, OSError, TimeoutError) as error:
            log.warning("breaker history not read", cause=type(error).__name__)
            return False
        if not found:
            return False
        entries = cast("list[tuple[bytes, dict[bytes, bytes]]]", found)
        moves = [_transition(fields) for _, fields in entries]
        async with self._store.platform_transaction() as transaction:
            await operations.keep_breaker_changes(transaction, {move.id: change(move) for move in moves})
        # Only now: what Postgres did not take is read again.
        self._after = entries[-1][0].decode()
        return len(entries) == _MOST


def change(move: BreakerTransition) -> BreakerChange:
    return BreakerChange(
        target=move.target,
        from_state=move.from_state,
        to_state=move.to_state,
        reason=move.reason,
        changed_at=move.at,
    )


def _transition(fields: Mapping[bytes, bytes]) -> BreakerTransition:
    return BreakerTransition(
        target=fields[b"target"].decode(),
        from_state=CircuitState(fields[b"from_state"].decode()),
        to_state=CircuitState(fields[b"to_state"].decode()),
        reason=fields[b"reason"].decode(),
        at=moment(int(fields[b"at"])),
    )
