"""Runs the breaker's machine inside Redis: what many callers ask in the same moment goes there as one call."""

import asyncio
import functools
import hashlib
import time
from collections.abc import Awaitable
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

import msgspec
import redis.asyncio
import structlog
from redis.exceptions import NoScriptError, RedisError

from mychatflow.events import BREAKER_HISTORY
from realtime.llm.circuit import Policy
from realtime.llm.contract import BreakerTransition, CircuitState
from realtime.llm.faults import Verdict

INDEX = "cb:index"
PREFIX = "cb:"
SOURCE = Path(__file__).with_name("breaker.lua").read_text()
_SHA = hashlib.sha1(SOURCE.encode(), usedforsecurity=False).hexdigest()
# Longer than the longest pause, so that a model that is gone for a day stays known as such.
_KEPT = 2 * 86_400_000
_LARGEST_BATCH = 256
_PAUSE_AFTER_LOSS = 1.0
_TURNS_TO_CATCH_UP = 5
# How long good news waits for a question to go along with.
_MOST_SECONDS_UNTOLD = 0.05

log = structlog.get_logger(__name__)

Answer = tuple[list[int], tuple[BreakerTransition, ...]]


class Unreachable(Exception):
    """Redis did not answer in time."""


@dataclass(slots=True, kw_only=True)
class _Waiting:
    operation: dict[str, Any]
    # None where nobody waits.
    answer: asyncio.Future[Answer] | None


@dataclass(slots=True, kw_only=True)
class Script:
    """The door to `breaker.lua`; after a loss it stays shut for a second, so that not every reply waits."""

    client: redis.asyncio.Redis
    policy: Policy
    patience: float
    _waiting: list[_Waiting] = field(default_factory=list)
    _flusher: asyncio.Task[None] | None = None
    _lost_until: float = 0.0

    @property
    def is_lost(self) -> bool:
        return time.monotonic() < self._lost_until

    async def ask(self, operation: dict[str, Any]) -> Answer:
        """Raises Unreachable. Operations that come while a batch is under way go together in the next one."""
        if self.is_lost:
            raise Unreachable
        answer: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self._waiting.append(_Waiting(operation=operation, answer=answer))
        self._begin_batch()
        return await answer

    def tell(self, operation: dict[str, Any]) -> None:
        """For what changes nothing that anybody waits for: it goes along with the next question, in order.

        Raises Unreachable; told to a Redis that is lost meanwhile, it is forgotten.
        """
        if self.is_lost:
            raise Unreachable
        if not self._waiting:
            asyncio.get_running_loop().call_later(_MOST_SECONDS_UNTOLD, self._begin_batch)
        self._waiting.append(_Waiting(operation=operation, answer=None))

    def _begin_batch(self) -> None:
        if self._waiting and (self._flusher is None or self._flusher.done()):
            self._flusher = asyncio.create_task(self._flush(), name="breaker-batch")

    async def close(self) -> None:
        self._begin_batch()
        if self._flusher is not None:
            await self._flusher

    async def _flush(self) -> None:
        while self._waiting:
            batch, self._waiting = self._waiting[:_LARGEST_BATCH], self._waiting[_LARGEST_BATCH:]
            try:
                results, moves = await self._run([waiting.operation for waiting in batch])
            except (RedisError, OSError, TimeoutError, ValueError) as error:
                self._lose([*batch, *self._waiting], error)
                return
            for number, (waiting, result) in enumerate(zip(batch, results, strict=True)):
                self._hand_over(waiting, result, tuple(_transition(move) for move in moves if move[0] == number))

    def _hand_over(self, waiting: _Waiting, result: list[int], moves: tuple[BreakerTransition, ...]) -> None:
        if waiting.answer is None:
            return
        if not waiting.answer.cancelled():
            waiting.answer.set_result((result, moves))
        elif "keys" in waiting.operation and result[0] >= 0 and result[2]:
            # Whoever asked was cancelled meanwhile and cannot give the probe back.
            key = waiting.operation["keys"][result[0]]
            back = {"key": key, "generation": result[1], "verdict": Verdict.NEUTRAL.value, "wait": 0}
            self._waiting.append(_Waiting(operation=back, answer=None))

    def _lose(self, batch: list[_Waiting], error: Exception) -> None:
        log.warning("breaker lost redis", error=type(error).__name__)
        self._lost_until = time.monotonic() + _PAUSE_AFTER_LOSS
        self._waiting.clear()
        for waiting in batch:
            if waiting.answer is not None and not waiting.answer.done():
                waiting.answer.set_exception(Unreachable())

    async def _run(self, operations: list[dict[str, Any]]) -> tuple[list[list[int]], list[list[Any]]]:
        arguments: Any = (0, policy_json(self.policy), msgspec.json.encode(operations), b"")
        call = asyncio.create_task(self._call(arguments), name="breaker-call")
        try:
            await asyncio.wait({call}, timeout=self.patience)
            # In a burst the loop itself may be late: an answer that has arrived meanwhile is no loss.
            for _ in range(_TURNS_TO_CATCH_UP):
                if call.done():
                    break
                await asyncio.sleep(0)
        finally:
            call.cancel()
            await asyncio.wait({call})
        if call.cancelled():
            raise TimeoutError
        results, moves = msgspec.json.decode(call.result())
        # Redis's JSON writes an empty list as an empty object.
        return results, moves or []

    async def _call(self, arguments: Any) -> bytes:
        try:
            return await cast("Awaitable[bytes]", self.client.evalsha(_SHA, *arguments))
        except NoScriptError:
            return await cast("Awaitable[bytes]", self.client.eval(SOURCE, *arguments))


@functools.cache
def policy_json(policy: Policy) -> bytes:
    names = {"index": INDEX, "history": BREAKER_HISTORY, "kept": _KEPT}
    return msgspec.json.encode(asdict(policy) | {"pauses": policy.pauses} | names)


def moment(milliseconds: int) -> datetime:
    return datetime.fromtimestamp(milliseconds / 1000, UTC)


def _transition(move: list[Any]) -> BreakerTransition:
    _, key, from_state, to_state, reason, at = move
    return BreakerTransition(
        target=key.removeprefix(PREFIX),
        from_state=CircuitState(from_state),
        to_state=CircuitState(to_state),
        reason=reason,
        at=moment(at),
    )
