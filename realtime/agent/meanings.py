"""Finds what a business knows by meaning, beside finding it by its letters; off unless all it needs is there."""

import asyncio
import time
from dataclasses import asdict
from typing import Final
from uuid import UUID

import structlog
from sqlalchemy.exc import SQLAlchemyError

from mychatflow.store import llm_attempts, passage_vectors
from mychatflow.store.session import Store
from realtime import rounds
from realtime.agent import knowledge
from realtime.agent.ledger import Ledger
from realtime.agent.tenants import Tenant
from realtime.llm.budgets import Purse
from realtime.llm.embedding import Embedder

_EVERY_SECONDS: Final = 10.0
_BATCH: Final = 64
_BATCH_SECONDS: Final = 30.0
# After a failed call the others' passages go first.
_REST_SECONDS: Final = 600.0
# A customer waits for it: what is not there by then is found by its letters alone.
_QUESTION_SECONDS: Final = 1.5
_MOST: Final = 5
# Below this two short texts are no more alike than any two.
_LEAST_LIKENESS: Final = 0.35
log = structlog.get_logger(__name__)


class Meanings:
    """One per process; whether the extension is there is asked once."""

    def __init__(self, store: Store, embedder: Embedder) -> None:
        self._store = store
        self._embedder = embedder
        self._has_extension: bool | None = None
        self._resting: dict[UUID, float] = {}

    async def near(self, tenant: Tenant, question: str, ledger: Ledger) -> tuple[str, ...]:
        """Ids of the passages that mean what is asked, best first; none where nobody can tell."""
        if not question.strip() or knowledge.is_small(tenant) or not await self._is_on():
            return ()
        asked = await self._embedder.of([question], seconds=_QUESTION_SECONDS, purse=tenant.purse)
        if asked is None:
            return ()
        ledger.attempts.append(asked.attempt)
        if not asked.vectors:
            return ()
        try:
            async with self._store.tenant_transaction(tenant.tenant_id) as transaction:
                found = await passage_vectors.nearest(
                    transaction, tenant.tenant_id, model=self._model, question=asked.vectors[0], limit=_MOST
                )
        except SQLAlchemyError as error:
            log.warning("meanings not searched", cause=type(error).__name__)
            return ()
        return tuple(passage_id for passage_id, likeness in found if likeness >= _LEAST_LIKENESS)

    async def run(self, stopping: asyncio.Event, *, is_first: bool) -> None:
        """Until told to stop, in the first worker alone: two would pay twice."""
        if self._embedder.is_on and is_first:
            await rounds.keep_looking(
                self.embed_next, seconds=_EVERY_SECONDS, stopping=stopping, while_away="embedding waits for Postgres"
            )

    async def embed_next(self) -> bool:
        """The next passages that lack their numbers; True when there may be more."""
        if not await self._is_on():
            return False
        async with self._store.platform_transaction() as transaction:
            resting = [tenant_id for tenant_id, until in self._resting.items() if until > time.monotonic()]
            stale = await passage_vectors.stale_tenant(transaction, model=self._model, but=resting)
        if stale is None:
            return False
        tenant_id, version, usd = stale
        async with self._store.tenant_transaction(tenant_id) as transaction:
            is_small = await passage_vectors.size(transaction, tenant_id) <= knowledge.WHOLE_BYTES
            missing = await passage_vectors.missing(transaction, tenant_id, model=self._model, limit=_BATCH)
            if is_small or not missing:
                await passage_vectors.complete(transaction, tenant_id, model=self._model, version=version)
                return True
        purse = Purse.of_dollars(tenant_id, usd)
        made = await self._embedder.of([each.written for each in missing], seconds=_BATCH_SECONDS, purse=purse)
        if made is None:
            self._resting[tenant_id] = time.monotonic() + _REST_SECONDS
            return True
        async with self._store.tenant_transaction(tenant_id) as transaction:
            await llm_attempts.book(transaction, tenant_id, asdict(made.attempt))
            if made.vectors:
                pairs = list(zip(missing, made.vectors, strict=True))
                await passage_vectors.keep(transaction, tenant_id, model=self._model, found=pairs)
        if not made.vectors:
            log.warning("passages not embedded", tenant_id=str(tenant_id), cause=made.attempt.error_class)
            self._resting[tenant_id] = time.monotonic() + _REST_SECONDS
        return True

    @property
    def _model(self) -> str:
        return self._embedder.model or ""

    async def _is_on(self) -> bool:
        if not self._embedder.is_on:
            return False
        if self._has_extension is None:
            async with self._store.platform_transaction() as transaction:
                self._has_extension = await passage_vectors.has_extension(transaction)
            if not self._has_extension:
                log.warning("meanings are off", cause="the database has no extension vector")
        return self._has_extension
