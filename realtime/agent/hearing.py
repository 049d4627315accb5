"""Has the voice notes of a turn written down, so that they are read like any other message."""

import asyncio
import dataclasses
from collections.abc import Mapping
from typing import Final
from uuid import UUID

from realtime.agent.ledger import Ledger
from realtime.llm.listening import Listener
from realtime.media.keeper import File

# What the vendor listens to, and the name by which it tells the format.
_NAMES: Final = {"audio/ogg": "voice.ogg", "audio/mpeg": "voice.mp3", "audio/mp4": "voice.m4a"}


async def listen(files: Mapping[UUID, File], listener: Listener, ledger: Ledger) -> dict[UUID, File]:
    """The same files, those with a voice together with what it says; every call is booked."""
    heard = await asyncio.gather(*(_heard(file, listener, ledger) for file in files.values()))
    return dict(zip(files, heard, strict=True))


async def _heard(file: File, listener: Listener, ledger: Ledger) -> File:
    name = _NAMES.get(file.mimetype)
    if name is None or file.data is None:
        return file
    listened = await listener.listen(file.data, filename=name)
    if listened.attempt is not None:
        ledger.attempts.append(listened.attempt)
    return dataclasses.replace(file, heard=listened.text)
