"""Has the voice notes of a turn written down, so that they are read like any other message."""

import asyncio
import dataclasses
from collections.abc import Mapping
from typing import Final
from uuid import UUID

from realtime.agent.context import opened
from realtime.agent.ledger import Ledger
from realtime.agent.reading import Reading
from realtime.agent.tenants import Tenant
from realtime.engine.work import Chat
from realtime.llm.budgets import Purse
from realtime.llm.listening import Listener
from realtime.media.keeper import File

# What the vendor listens to, and the name by which it tells the format.
_NAMES: Final = {"audio/ogg": "voice.ogg", "audio/mpeg": "voice.mp3", "audio/mp4": "voice.m4a"}


async def listen(
    files: Mapping[UUID, File], listener: Listener, ledger: Ledger, *, known: Mapping[UUID, str], purse: Purse
) -> dict[UUID, File]:
    """The same files, those with a voice together with what it says; every call is booked.

    What is `known` from an earlier attempt at the turn is neither asked nor paid for again.
    """
    heard = await asyncio.gather(
        *(_heard(file, listener, ledger, known=known.get(key, ""), purse=purse) for key, file in files.items())
    )
    return dict(zip(files, heard, strict=True))


def heard_before(reading: Reading, chat: Chat, tenant: Tenant) -> dict[UUID, str]:
    """What an earlier attempt at this turn heard: it was stored with its message, behind the words that came along."""
    stored = {each.id: each for each in chat.recent}
    return {
        each.interaction_id: opened(stored[each.interaction_id], tenant).removeprefix(each.text).strip()
        for each in reading.customer
        if each.is_stored
    }


async def _heard(file: File, listener: Listener, ledger: Ledger, *, known: str, purse: Purse) -> File:
    name = _NAMES.get(file.mimetype)
    if name is None or file.data is None:
        return file
    if known:
        return dataclasses.replace(file, heard=known)
    listened = await listener.listen(file.data, filename=name, purse=purse)
    if listened.attempt is not None:
        ledger.attempts.append(listened.attempt)
    return dataclasses.replace(file, heard=listened.text)
