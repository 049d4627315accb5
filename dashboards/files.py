"""The files in a chat, for the browser of whoever reads it: pictures to see, recordings to hear, the rest to take."""

import asyncio
from collections.abc import Iterable
from datetime import datetime
from typing import Final
from uuid import UUID

import structlog
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from dashboards import shell
from mychatflow import settings as configuration
from mychatflow.rules import file_kinds, file_link
from mychatflow.rules.file_link import FileLink, LinkRefused
from mychatflow.store import media_files, media_vault
from mychatflow.store.chats import Message
from mychatflow.store.cipher import Unreadable
from mychatflow.store.session import Store

PREFIX: Final = "/files"
_SHOWN: Final = file_kinds.PICTURES | file_kinds.RECORDINGS
log = structlog.get_logger(__name__)


def app() -> Starlette:
    return Starlette(routes=[Route("/{link}", _file)])


def links(tenant_id: UUID, contact_id: UUID, messages: Iterable[Message], *, at: datetime) -> dict[UUID, str]:
    """Message → the address of its file, below the page's own; for who was just let read that chat."""
    key = configuration.load().derived_secret(file_link.PURPOSE)
    return {
        message.interaction_id: f".{PREFIX}/{file_link.write(_link(tenant_id, contact_id, message), key=key, at=at)}"
        for message in messages
        if message.file_kind
    }


def _link(tenant_id: UUID, contact_id: UUID, message: Message) -> FileLink:
    return FileLink(tenant_id=tenant_id, contact_id=contact_id, message_id=message.interaction_id)


async def _file(request: Request) -> Response:
    """Whatever is wrong with a link, there is nothing to be found."""
    store: Store = request.app.state.store
    key = configuration.load().derived_secret(file_link.PURPOSE)
    try:
        link = file_link.read(request.path_params["link"], key=key, at=shell.now())
        data = await _bytes(store, link)
    except LinkRefused:
        data = None
    except (Unreadable, OSError) as error:
        log.warning("file not opened", error=type(error).__name__)
        data = None
    if data is None:
        return Response(status_code=404)
    kind, headers = file_kinds.served(data, str(link.message_id), shown=_SHOWN)
    return Response(data, media_type=kind, headers=headers)


async def _bytes(store: Store, link: FileLink) -> bytes | None:
    async with store.tenant_transaction(link.tenant_id) as transaction:
        found = await media_files.of_message(transaction, link.tenant_id, link.contact_id, link.message_id)
        cipher = await store.key_ring.for_tenant(link.tenant_id, transaction)
    vault = media_vault.opened(configuration.load())
    return await asyncio.to_thread(vault.load, cipher, link.message_id) if found else None
