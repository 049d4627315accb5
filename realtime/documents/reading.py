"""Has a file read by a process of its own, which may break, hang or swell without harm."""

import asyncio
import sys
from typing import Final

import msgspec

from mychatflow.rules.passages import Cut

_PATIENCE: Final = 30.0
_SAID_NO: Final = 1
_decoder = msgspec.json.Decoder(list[tuple[str, str]])


class UnreadableFile(Exception):
    """Says why, for whoever uploaded the file."""


async def read(kind: str, body: bytes) -> list[Cut]:
    """The file's passages in order. Raises UnreadableFile."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "realtime.documents.extract",
        kind,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        # A file may find a hole in a reader: of our environment, with the master key in it, nothing is in its reach.
        env={"PYTHONPATH": ":".join(filter(None, sys.path))},
    )
    try:
        async with asyncio.timeout(_PATIENCE):
            written, said = await process.communicate(body)
    except TimeoutError as error:
        raise UnreadableFile("reading the file takes too long; split it") from error
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    if process.returncode == _SAID_NO and said and not said.startswith(b"Traceback"):
        raise UnreadableFile(said.decode(errors="replace")[:200])
    if process.returncode != 0:
        raise UnreadableFile("the file needs more memory or time than one file may; split it")
    found = [Cut(heading, text) for heading, text in _decoder.decode(written)]
    if not found:
        raise UnreadableFile("the file holds no text")
    return found
