"""A person's two rights over their data, done whole: a sealed copy to fetch, and being forgotten everywhere."""

import asyncio
import json
import os
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, BinaryIO, Final, cast
from uuid import UUID

import structlog

from mychatflow.settings import Settings
from mychatflow.store import audit, contact_book, data_requests, erasure, export, media_vault
from mychatflow.store.data_requests import Claimed
from mychatflow.store.erasure import Erased, OnLegalHold
from mychatflow.store.export import Exported
from mychatflow.store.export_vault import ExportVault
from mychatflow.store.media_vault import MediaVault
from mychatflow.store.session import Store

_IN_MEMORY: Final = 8 << 20
log = structlog.get_logger(__name__)


class NoSuchPerson(Exception):
    """The tenant has no such contact (any more)."""


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
            self._remember(erased)
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
        return found

    async def _listed(self) -> list[Mapping[str, Any]]:
        """The list in the database, and the one beside it that no restore takes back."""
        async with self.store.platform_transaction() as transaction:
            listed = await erasure.listed(transaction)
        path = self._list_file
        lines = path.read_text().splitlines() if path.exists() else []
        return listed + [parsed for line in lines if (parsed := _parsed(line))]

    def _remember(self, erased: Erased) -> None:
        path = self._list_file
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        about = {"tenant_id": str(erased.tenant_id), "erased_at": erased.at.isoformat()}
        lines = [json.dumps(about | {"wa_hash": wa_hash}) for wa_hash in erased.wa_hashes]
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), "a") as file:
            # Begun anew: a full disk may have cut off the last line of whoever came before.
            file.write("\n" + "\n".join(lines) + "\n")
            file.flush()
            os.fsync(file.fileno())

    @property
    def _list_file(self) -> Path:
        return self.settings.data_dir / "erased.jsonl"

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


def _parsed(line: str) -> dict[str, Any] | None:
    """None of a line that was cut off: its erasure was not committed, and was done again under a line of its own."""
    try:
        found = json.loads(line)
    except json.JSONDecodeError:
        return None
    return {
        "tenant_id": UUID(found["tenant_id"]),
        "wa_hash": found["wa_hash"],
        "erased_at": datetime.fromisoformat(found["erased_at"]),
    }
