"""Fetches what customers send beside words, from their gateway alone, and keeps it sealed."""

import asyncio
from collections.abc import Awaitable, Callable, Collection
from dataclasses import dataclass, field
from typing import Final
from uuid import UUID

import structlog

from mychatflow.rules import file_kinds
from mychatflow.store.cipher import TenantCipher, Unreadable
from mychatflow.store.media_vault import MediaVault
from realtime.channels.gateway_types import GatewayFailed
from realtime.engine.pool import Pool

_KEEP: Final = """
insert into media_files (tenant_id, id, contact_id, mimetype, byte_size)
select tenant_id, %(id)s, %(contact_id)s, %(mimetype)s, %(byte_size)s
from inbox where tenant_id = %(tenant_id)s and seq = %(seq)s
for key share
on conflict (tenant_id, id) do update set mimetype = excluded.mimetype
"""
log = structlog.get_logger(__name__)
# Of the session's own files at its gateway; raises GatewayFailed.
Fetch = Callable[[str], Awaitable[bytes]]


@dataclass(frozen=True, slots=True, kw_only=True)
class File:
    """What a message brought along; without `data` it could not be read and `problem` says why.

    `heard` is what a voice says in it, where somebody listened.
    """

    mimetype: str = file_kinds.UNKNOWN
    data: bytes | None = field(default=None, repr=False)
    problem: str = ""
    heard: str = field(default="", repr=False)

    @property
    def is_picture(self) -> bool:
        return self.data is not None and self.mimetype in file_kinds.PICTURES


@dataclass(frozen=True, slots=True)
class Wanted:
    """A file by its message's interaction and its row of the inbox; `url` is its address at the gateway."""

    media_id: UUID
    seq: int
    url: str | None


class Keeper:
    def __init__(self, pool: Pool, vault: MediaVault) -> None:
        self._pool = pool
        self._vault = vault

    async def take(
        self, wanted: Collection[Wanted], fetch: Fetch, cipher: TenantCipher, *, contact_id: UUID
    ) -> dict[UUID, File]:
        """Each message's file, fetched and kept once."""
        files = await asyncio.gather(*(self._one(each, fetch, cipher, contact_id) for each in wanted))
        return {each.media_id: file for each, file in zip(wanted, files, strict=True)}

    async def _one(self, wanted: Wanted, fetch: Fetch, cipher: TenantCipher, contact_id: UUID) -> File:
        data = await self._kept(wanted, cipher)
        is_new = data is None
        if data is None:
            if wanted.url is None:
                return File(problem="not downloaded")
            try:
                data = await fetch(wanted.url)
            except GatewayFailed as failed:
                log.info("media not fetched", cause=failed.kind, status=failed.status)
                return File(problem=failed.kind)
            if not data:
                return File(problem="empty")
        file = File(mimetype=file_kinds.of(data), data=data)
        if is_new and not await self._save(data, wanted, cipher):
            return file
        # Of one that was here too: whoever kept it may have been killed before its row.
        if await self._note(file, len(data), wanted, cipher.tenant_id, contact_id):
            return file
        # An erasure took the message meanwhile, and the person with it: it knew nothing of this file.
        await asyncio.to_thread(self._vault.remove, cipher.tenant_id, wanted.media_id)
        return File(problem="erased")

    async def _kept(self, wanted: Wanted, cipher: TenantCipher) -> bytes | None:
        try:
            return await asyncio.to_thread(self._vault.load, cipher, wanted.media_id)
        except (Unreadable, OSError) as error:
            log.warning("kept file unreadable", cause=type(error).__name__)
            return None

    async def _save(self, data: bytes, wanted: Wanted, cipher: TenantCipher) -> bool:
        """Where the disk is full the customer is answered all the same."""
        try:
            await asyncio.to_thread(self._vault.save, cipher, wanted.media_id, data)
        except OSError as error:
            log.warning("media not kept", cause=type(error).__name__)
            return False
        return True

    async def _note(self, file: File, byte_size: int, wanted: Wanted, tenant_id: UUID, contact_id: UUID) -> bool:
        """Whether the message that it belongs to is still there; then erasures and retention know the file."""
        row = {"tenant_id": tenant_id, "id": wanted.media_id, "contact_id": contact_id, "seq": wanted.seq}
        async with self._pool.connection() as connection:
            noted = await connection.execute(_KEEP, row | {"mimetype": file.mimetype, "byte_size": byte_size})
        return noted.rowcount > 0
