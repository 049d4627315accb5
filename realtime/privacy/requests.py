"""Does what was asked about people's data: makes copies, forgets, and lets go of copies that nobody fetched."""

import asyncio
from datetime import UTC, datetime
from typing import Final

import structlog

from mychatflow.settings import Settings
from mychatflow.store import data_requests
from mychatflow.store.cipher import Unreadable
from mychatflow.store.data_requests import Claimed, Kind
from mychatflow.store.erasure import OnLegalHold
from mychatflow.store.privacy import NoSuchPerson, Privacy
from mychatflow.store.session import Store
from realtime import rounds

_EVERY_SECONDS: Final = 2.0
log = structlog.get_logger(__name__)


class DataRequests:
    def __init__(self, store: Store, settings: Settings) -> None:
        self._store = store
        self._privacy = Privacy(store, settings)

    async def run(self, stopping: asyncio.Event) -> None:
        """Until told to stop; a request under way is given back by its lease."""
        await rounds.keep_looking(
            lambda: self.do_next(at=datetime.now(UTC)),
            seconds=_EVERY_SECONDS,
            stopping=stopping,
            while_away="data requests wait for Postgres",
        )

    async def do_next(self, *, at: datetime) -> bool:
        """Whether there was one."""
        async with self._store.platform_transaction() as transaction:
            expired = await data_requests.expire(transaction, at=at)
        for tenant_id, export_id in expired:
            self._privacy.exports.remove(tenant_id, export_id)
        return await self._next("erasures", at=at) or await self._next("exports", at=at)

    async def _next(self, kind: Kind, *, at: datetime) -> bool:
        async with self._store.platform_transaction() as transaction:
            claimed = await data_requests.claim(transaction, kind, at=at)
        if claimed is None:
            return False
        try:
            if kind == "erasures":
                await self._privacy.fulfil_erasure(claimed, at=at)
            else:
                await self._privacy.fulfil_export(claimed, at=at)
        except NoSuchPerson:
            await self._fail(kind, claimed, "there is no such contact (any more)", is_final=True, at=at)
        except OnLegalHold:
            await self._fail(kind, claimed, "the tenant is on legal hold", is_final=True, at=at)
        except Unreadable:
            await self._fail(kind, claimed, "no key opens the tenant's data (any more)", is_final=True, at=at)
        except OSError as error:
            await self._fail(kind, claimed, f"the disk refuses: {type(error).__name__}", is_final=False, at=at)
        else:
            log.info("data request done", tenant_id=str(claimed.tenant_id), kind=kind)
        return True

    async def _fail(self, kind: Kind, claimed: Claimed, why: str, *, is_final: bool, at: datetime) -> None:
        async with self._store.platform_transaction() as transaction:
            await data_requests.fail(transaction, kind, claimed, why=why, is_final=is_final, at=at)
        log.warning("data request failed", tenant_id=str(claimed.tenant_id), kind=kind, is_final=is_final)
