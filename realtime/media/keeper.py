"""Fetches what customers send beside words, from their gateway alone, and keeps it sealed."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
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
values (%(tenant_id)s, %(id)s, %(contact_id)s, %(mimetype)s, %(byte_size)s)
on conflict (tenant_id, id) do nothing
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


class Keeper:
    def __init__(self, pool: Pool, vault: MediaVault) -> None:
        self._pool = pool
        self._vault = vault

    async def take(
        self, wanted: Mapping[UUID, str | None], fetch: Fetch, cipher: TenantCipher, *, contact_id: UUID
    ) -> dict[UUID, File]:
        """The files of these messages (interaction id → address at the gateway), each fetched and kept once."""
        files = await asyncio.gather(*(self._one(key, url, fetch, cipher, contact_id) for key, url in wanted.items()))
        return dict(zip(wanted, files, strict=True))

    async def _one(self, media_id: UUID, url: str | None, fetch: Fetch, cipher: TenantCipher, contact_id: UUID) -> File:
        try:
            known = await asyncio.to_thread(self._vault.load, cipher, media_id)
        except (Unreadable, OSError) as error:
            log.warning("kept file unreadable", cause=type(error).__name__)
            known = None
        if known is not None:
            return File(mimetype=file_kinds.of(known), data=known)
        if url is None:
            return File(problem="not downloaded")
        try:
            data = await fetch(url)
        except GatewayFailed as failed:
            log.info("media not fetched", cause=failed.kind, status=failed.status)
            return File(problem=failed.kind)
        if not data:
            return File(problem="empty")
        file = File(mimetype=file_kinds.of(data), data=data)
        await self._keep(file, data, media_id, cipher, contact_id)
        return file

    async def _keep(self, file: File, data: bytes, media_id: UUID, cipher: TenantCipher, contact_id: UUID) -> None:
        """Where the disk is full the customer is answered all the same."""
        try:
            await asyncio.to_thread(self._vault.save, cipher, media_id, data)
        except OSError as error:
            log.warning("media not kept", cause=type(error).__name__)
            return
        row = {"tenant_id": cipher.tenant_id, "id": media_id, "contact_id": contact_id}
        async with self._pool.connection() as connection:
            await connection.execute(_KEEP, row | {"mimetype": file.mimetype, "byte_size": len(data)})
