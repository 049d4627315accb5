"""Many concurrent requests become few database round trips: whoever waits while a batch runs forms the next one."""

import asyncio
from collections import Counter, deque
from collections.abc import Awaitable, Callable, Hashable, Sequence
from typing import Generic, TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


class Batcher(Generic[Item, Result]):
    """A leader takes all that wait, up to `max_size`; there is no timer, so a lone item goes at once.

    `run` answers one result or exception per item, in order. When it raises one of `splits_on` (a bad row fails
    its whole batch) the batch is halved until the bad item stands alone and gets the exception by itself; any
    other exception reaches every item of the batch.

    While a batch runs in which one tenant has a crowd, a further leader takes what the others have: they wait for
    their own few items alone. A crowd is never in two batches at once, and without one there is no such leader, since
    two half batches cost more than a whole one.

    Two items of the same `apart` are never in one batch: a statement changes a row once, and what the second of them
    wants of it would be lost. None is nobody's.
    """

    def __init__(
        self,
        run: Callable[[list[Item]], Awaitable[Sequence[Result | Exception]]],
        *,
        max_size: int,
        concurrency: int = 1,
        splits_on: tuple[type[Exception], ...] = (),
        tenant: Callable[[Item], Hashable] | None = None,
        crowd: int = 16,
        apart: Callable[[Item], Hashable] | None = None,
    ) -> None:
        self._run = run
        self._max_size = max_size
        self._concurrency = concurrency
        self._splits_on = splits_on
        self._tenant = tenant
        self._crowd = crowd
        self._apart = apart
        # Of the batches under way.
        self._crowds: set[Hashable] = set()
        self._waiting: deque[tuple[Item, asyncio.Future[Result]]] = deque()
        self._running: set[asyncio.Task[None]] = set()
        self.batches = 0
        self.items = 0
        # Submitted and not answered.
        self.pending = 0

    def submit(self, item: Item) -> asyncio.Future[Result]:
        """The item's own result, to be awaited; the item is processed even if nobody waits any more."""
        future: asyncio.Future[Result] = asyncio.get_running_loop().create_future()
        self._waiting.append((item, future))
        self.pending += 1
        if len(self._running) < self._concurrency or self._is_held_up(item):
            self._lead()
        return future

    async def drain(self) -> None:
        """Wait until all that was submitted is answered."""
        while self._running:
            await asyncio.wait(set(self._running))

    def _lead(self) -> None:
        # The task starts in the loop's next turn, so all that arrived in this turn is in the first batch already.
        task = asyncio.get_running_loop().create_task(self._drain_waiting())
        self._running.add(task)
        task.add_done_callback(self._led)

    def _led(self, task: asyncio.Task[None]) -> None:
        self._running.discard(task)
        if self._waiting and len(self._running) < self._concurrency and not task.cancelled():
            self._lead()

    def _is_held_up(self, item: Item) -> bool:
        """By a crowd that it is no part of, and no further leader is there yet."""
        if not self._crowds or self._tenant is None or len(self._running) > self._concurrency:
            return False
        return self._tenant(item) not in self._crowds

    async def _drain_waiting(self) -> None:
        while batch := self._next_batch():
            self.batches += 1
            self.items += len(batch)
            crowds = self._crowds_of(batch)
            self._crowds |= crowds
            try:
                await self._answer(batch)
            finally:
                self._crowds -= crowds
                self.pending -= len(batch)

    def _next_batch(self) -> list[tuple[Item, asyncio.Future[Result]]]:
        """The first that wait, but for those who must not be together and whose tenant has a crowd under way."""
        if self._apart is None and not self._crowds:
            return [self._waiting.popleft() for _ in range(min(len(self._waiting), self._max_size))]
        batch: list[tuple[Item, asyncio.Future[Result]]] = []
        left: list[tuple[Item, asyncio.Future[Result]]] = []
        taken: set[Hashable] = set()
        while self._waiting and len(batch) < self._max_size:
            entry = self._waiting.popleft()
            key = None if self._apart is None else self._apart(entry[0])
            if key in taken or self._is_of_crowd(entry[0]):
                left.append(entry)
                continue
            batch.append(entry)
            if key is not None:
                taken.add(key)
        self._waiting.extendleft(reversed(left))
        return batch

    def _is_of_crowd(self, item: Item) -> bool:
        return bool(self._crowds) and self._tenant is not None and self._tenant(item) in self._crowds

    def _crowds_of(self, batch: list[tuple[Item, asyncio.Future[Result]]]) -> set[Hashable]:
        if self._tenant is None or len(batch) < self._crowd:
            return set()
        counts = Counter(self._tenant(item) for item, _ in batch)
        return {tenant for tenant, count in counts.items() if count >= self._crowd}

    async def _answer(self, batch: list[tuple[Item, asyncio.Future[Result]]]) -> None:
        try:
            results = await self._run([item for item, _ in batch])
            for (_, future), result in zip(batch, results, strict=True):
                _settle(future, result)
        except self._splits_on as error:
            if len(batch) == 1:
                _settle(batch[0][1], error)
                return
            middle = len(batch) // 2
            await self._answer(batch[:middle])
            await self._answer(batch[middle:])
        except BaseException as error:
            # Whatever it is, those who wait must hear of it; a cancelled leader must not leave them hanging.
            failure = error if isinstance(error, Exception) else asyncio.CancelledError()
            for _, future in batch:
                _settle(future, failure)
            if not isinstance(error, Exception):
                raise


def _settle(future: "asyncio.Future[Result]", outcome: Result | BaseException) -> None:
    if future.done():
        return
    if isinstance(outcome, asyncio.CancelledError):
        future.cancel()
    elif isinstance(outcome, BaseException):
        future.set_exception(outcome)
        # Seen here once, so that a caller who gave up does not make the loop complain.
        future.exception()
    else:
        future.set_result(outcome)
