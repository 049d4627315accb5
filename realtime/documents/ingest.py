"""Reads the documents that wait, one at a time: fetched or uploaded, cut into passages, known to the agent at once."""

import asyncio
import hashlib
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Final

import structlog

from mychatflow.store import documents
from mychatflow.store.cipher import Unreadable
from mychatflow.store.documents import MOST_ATTEMPTS, MOST_PASSAGES, Waiting
from mychatflow.store.session import Store
from realtime import rounds
from realtime.documents import fetch, reading
from realtime.documents.fetch import FetchRefused
from realtime.documents.reading import UnreadableFile

_EVERY_SECONDS: Final = 3.0
_PAUSE: Final = timedelta(minutes=1)
log = structlog.get_logger(__name__)


class Ingestion:
    def __init__(self, store: Store, *, fetched: Callable[[str], Awaitable[bytes]] = fetch.page) -> None:
        self._store = store
        self._fetched = fetched

    async def run(self, stopping: asyncio.Event) -> None:
        """Until told to stop; a document under way is given back by its lease."""
        await rounds.keep_looking(
            lambda: self.read_next(at=datetime.now(UTC)),
            seconds=_EVERY_SECONDS,
            stopping=stopping,
            while_away="documents wait for Postgres",
        )

    async def read_next(self, *, at: datetime) -> bool:
        """Whether there was one."""
        async with self._store.platform_transaction() as transaction:
            waiting = await documents.claim(transaction, at=at)
        if waiting is None:
            return False
        try:
            await self._read(waiting, at=at)
        except UnreadableFile as unreadable:
            await self._fail(waiting, str(unreadable), is_final=True, at=at)
        except FetchRefused as refused:
            await self._fail(waiting, str(refused), is_final=refused.is_final, at=at)
        except Unreadable:
            # A new key may be on its way to this worker.
            await self._fail(waiting, "no key opens the file; upload it again", is_final=False, at=at)
        return True

    async def _read(self, waiting: Waiting, *, at: datetime) -> None:
        body = await self._body(waiting)
        content_hash = hashlib.sha256(body).digest()
        if content_hash == waiting.content_hash:
            async with self._store.tenant_transaction(waiting.tenant_id) as transaction:
                if await documents.is_held(transaction, waiting):
                    await documents.leave_unchanged(transaction, waiting, at=at)
            return
        cuts = await reading.read(waiting.kind, body)
        async with self._store.tenant_transaction(waiting.tenant_id) as transaction:
            if not await documents.is_held(transaction, waiting):
                return
            if await documents.passages_beside(transaction, waiting) + len(cuts) > MOST_PASSAGES:
                raise UnreadableFile(f"all documents together may have {MOST_PASSAGES:,} passages; delete some first")
            await documents.store_passages(
                transaction, waiting, cuts, content_hash=content_hash, byte_size=len(body), at=at
            )
        log.info("document read", tenant_id=str(waiting.tenant_id), kind=waiting.kind, passages=len(cuts))

    async def _body(self, waiting: Waiting) -> bytes:
        if waiting.source_url is not None:
            return await self._fetched(waiting.source_url)
        async with self._store.tenant_transaction(waiting.tenant_id) as transaction:
            cipher = await self._store.key_ring.for_tenant(waiting.tenant_id, transaction)
            body = await documents.upload(transaction, waiting.tenant_id, waiting.id, cipher=cipher)
        if body is None:
            raise UnreadableFile("the file is gone; upload it again")
        return body

    async def _fail(self, waiting: Waiting, why: str, *, is_final: bool, at: datetime) -> None:
        is_last = is_final or waiting.attempts >= MOST_ATTEMPTS
        again_at = None if is_last else at + _PAUSE * waiting.attempts
        async with self._store.tenant_transaction(waiting.tenant_id) as transaction:
            if not await documents.is_held(transaction, waiting):
                return
            await documents.fail(transaction, waiting, why=why, again_at=again_at, at=at)
        log.warning("document not read", tenant_id=str(waiting.tenant_id), kind=waiting.kind, is_final=is_last)
