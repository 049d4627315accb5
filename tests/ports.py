"""Ports that the programs of a test or a benchmark may listen on."""

import secrets
import socket
from contextlib import suppress
from typing import Final

# Below those that the system gives to outgoing connections: one of these would take the port before a slow program
# does, or while one that was killed is started again.
_FIRST: Final = 20_000
_BEYOND: Final = 32_768


def free() -> int:
    """One of loopback that nobody holds now; whoever needs it takes it soon. Raises RuntimeError when all are taken."""
    for _ in range(1_000):
        port = _FIRST + secrets.randbelow(_BEYOND - _FIRST)
        with suppress(OSError), socket.create_server(("127.0.0.1", port)):
            return port
    raise RuntimeError("no port of loopback is free")


def several(count: int) -> list[int]:
    """So many, no two the same."""
    found: set[int] = set()
    while len(found) < count:
        found.add(free())
    return list(found)
