"""A person's two rights over their data, done whole: a sealed copy to fetch, and being forgotten everywhere."""

import asyncio
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, BinaryIO, Final, cast
from uuid import UUID

import structlog

from mychatflow.settings import Settings
from mychatflow.store import (
    audit,
    contact_book,
    data_requests,
    erasure,
    export,
    media_vault,
    tenant_keys,
    tenants,
)
from mychatflow.store.data_requests import Claimed
from mychatflow.store.erasure import Erased, OnLegalHold
from mychatflow.store.export import Exported
from mychatflow.store.export_vault import ExportVault
from mychatflow.store.forgotten import FILE_NAME, ForgottenList
from mychatflow.store.media_vault import MediaVault
from mychatflow.store.session import Store

_IN_MEMORY: Final = 8 << 20
log = structlog.get_logger(__name__)


class NoSuchPerson(Exception):
    """The tenant has no such contact (any more)."""


class NoSuchTenant(Exception):
    """No tenant has that id."""


class NotConfirmed(Exception):
    """What was typed is not the tenant's name; the name is the message."""


@dataclass(frozen=True, slots=True)
class Privacy:
    """For the worker and the command line; one per process."""

    store: Store
    settings: Settings

    @property
    def exports(self) -> ExportVault:
        return ExportVault(self.settings.data_dir / "exports")

    @property
    def media(self) -> MediaVault:
        return media_vault.opened(self.settings)

    @property
    def forgotten(self) -> ForgottenList:
        return ForgottenList(self.settings.data_dir / FILE_NAME)

    async def copy(
        self, target: BinaryIO, tenant_id: UUID, contact_id: UUID | None, *, actor: str, at: datetime
    ) -> Exported:
        """Write the copy; on record before anybody has it. Raises NoSuchPerson."""
        async with self.store.tenant_transaction(tenant_id) as transaction:
            if contact_id and await contact_book.by_id(transaction, tenant_id, contact_id) is None:
                raise NoSuchPerson
            cipher = await self.store.key_ring.for_tenant(tenant_id, transaction)
            found = await export.write(
                transaction, target, tenant_id, cipher=cipher, vault=self.media, contact_id=contact_id, at=at
            )
            detail = {"rows": sum(found.rows.values()), "media_files": found.media_files}
            await self._record(tenant_id, "data.exported", contact_id, actor=actor, detail=detail, at=at)
        return found

    async def fulfil_export(self, claimed: Claimed, *, at: datetime) -> None:
        """Make the copy and seal it; it stays unmade when somebody was erased meanwhile. Raises NoSuchPerson."""
        began = time.monotonic()
        renewing = asyncio.create_task(self._renew(claimed))
        try:
            with tempfile.SpooledTemporaryFile(max_size=_IN_MEMORY) as plain:
                target = cast("BinaryIO", plain)
                actor = claimed.requested_by
                found = await self.copy(target, claimed.tenant_id, claimed.contact_id, actor=actor, at=at)
                target.seek(0)
                async with self.store.tenant_transaction(claimed.tenant_id) as transaction:
                    if not await data_requests.is_ours(transaction, claimed):
                        return
                    cipher = await self.store.key_ring.for_tenant(claimed.tenant_id, transaction)
                    size = await asyncio.to_thread(self.exports.save, cipher, claimed.id, target)
                    # Its link lasts from when it can be fetched, however long it took to make.
                    done_at = at + timedelta(seconds=time.monotonic() - began)
                    await data_requests.ready(transaction, claimed, byte_size=size, row_counts=found.rows, at=done_at)
        finally:
            renewing.cancel()

    async def _renew(self, claimed: Claimed) -> None:
        while True:
            await asyncio.sleep(data_requests.RENEWED_EVERY.total_seconds())
            async with self.store.platform_transaction() as transaction:
                await data_requests.renew(transaction, claimed)

    async def forget(self, tenant_id: UUID, contact_id: UUID, *, actor: str, at: datetime) -> Erased:
        """Everything of that person but the warehouse's rows. Raises NoSuchPerson, OnLegalHold."""
        async with self.store.platform_transaction() as transaction:
            files = await erasure.files(transaction, tenant_id, contact_id, master=self.settings.master)
        # A bucket takes its time, and the person's rows are locked meanwhile: only what came since waits inside.
        await asyncio.to_thread(self.media.remove_these, tenant_id, files)
        async with self.store.platform_transaction() as transaction:
            erased = await erasure.erase(
                transaction,
                self.media,
                tenant_id,
                contact_id,
                master=self.settings.master,
                at=at,
                removed=frozenset(files),
            )
            if erased is None:
                raise NoSuchPerson
            self.forgotten.add_people(tenant_id, erased.wa_hashes, at=erased.at)
            detail = {"rows": sum(table.before for table in erased.tables.values())}
            await self._record(tenant_id, "contact.erased", contact_id, actor=actor, detail=detail, at=at)
            # Last: a copy that is asked for from now on sees nothing of the person once we are through.
            for export_id in await data_requests.withdraw(transaction, tenant_id, contact_id):
                self.exports.remove(tenant_id, export_id)
        return erased

    async def fulfil_erasure(self, claimed: Claimed, *, at: datetime) -> Erased:
        """Raises NoSuchPerson, OnLegalHold."""
        if claimed.contact_id is None:
            raise NoSuchPerson
        erased = await self.forget(claimed.tenant_id, claimed.contact_id, actor=claimed.requested_by, at=at)
        async with self.store.platform_transaction() as transaction:
            await data_requests.erased(
                transaction, claimed.tenant_id, claimed.id, certificate=erased.certificate(), at=at
            )
        return erased

    async def forget_again(self, *, at: datetime) -> int:
        """After a restore: whoever was erased since that backup is erased from it. Returns how many there were."""
        # Two lists that were joined are in no order: whoever was erased twice counts by the later time.
        listed = sorted(await self._listed(), key=lambda row: row["erased_at"])
        known = {(row["tenant_id"], row["wa_hash"]): row["erased_at"] for row in listed}
        found = 0
        async with self.store.platform_transaction() as transaction:
            people = await erasure.people_before(transaction, known, master=self.settings.master)
        for tenant_id, contact_id in people:
            try:
                await self.forget(tenant_id, contact_id, actor="restore", at=at)
            except OnLegalHold:
                # Of the backup's day: it keeps one tenant's people until it ends, and nobody else's.
                log.warning("not erased again: legal hold", tenant_id=str(tenant_id), contact_id=str(contact_id))
                continue
            found += 1
        async with self.store.platform_transaction() as transaction:
            await erasure.list_again(transaction, known)
        return found

    async def end_tenant(self, tenant_id: UUID, *, confirm: str, at: datetime) -> int:
        """Drop its keys, kept files and copies: there is no way back. Returns how many keys there were.

        `confirm` is the tenant's name, typed out. Raises NoSuchTenant, NotConfirmed, OnLegalHold.
        """
        async with self.store.platform_transaction() as transaction:
            name = await tenant_keys.name_of(transaction, tenant_id)
            if name is None:
                raise NoSuchTenant
            if await tenants.is_on_legal_hold(transaction, tenant_id):
                raise OnLegalHold
            if confirm != name:
                raise NotConfirmed(name)
            count = await tenant_keys.shred(transaction, tenant_id, at=at)
        # Only now: a restore does again what the list says, and an end that failed must not come true then.
        self.forgotten.add_tenant(tenant_id, at=at)
        await self._remove_files(tenant_id)
        return count

    async def end_again(self, *, at: datetime) -> int:
        """After a restore: tenants whose keys the backup brought back lose them again. Returns how many there were."""
        found = 0
        for tenant_id in sorted(self.forgotten.tenants()):
            async with self.store.platform_transaction() as transaction:
                if await tenants.is_on_legal_hold(transaction, tenant_id):
                    log.warning("not ended again: legal hold", tenant_id=str(tenant_id))
                    continue
                found += bool(await tenant_keys.shred(transaction, tenant_id, at=at))
            await self._remove_files(tenant_id)
        return found

    async def _remove_files(self, tenant_id: UUID) -> None:
        self.store.key_ring.forget(tenant_id)
        await asyncio.to_thread(self.media.remove_all, tenant_id)
        await asyncio.to_thread(self.exports.remove_all, tenant_id)

    async def _listed(self) -> list[Mapping[str, Any]]:
        """The list in the database, and the one beside it that no restore takes back."""
        async with self.store.platform_transaction() as transaction:
            listed = await erasure.listed(transaction)
        return listed + self.forgotten.people()

    async def _record(
        self,
        tenant_id: UUID,
        action: str,
        contact_id: UUID | None,
        *,
        actor: str,
        detail: Mapping[str, Any],
        at: datetime,
    ) -> None:
        subject = str(contact_id) if contact_id else None
        async with self.store.audit_transaction() as transaction:
            await audit.record(
                transaction, tenant_id, actor=actor, action=action, subject=subject, detail=detail, at=at
            )
