"""The phone's memory on disk: one JSON line per change, replayed and compacted at every start."""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Final

import msgspec

from mychatflow.local.phone.records import Customer, Message, Session

Row = Session | Customer | Message
# The page is a sandbox, not an archive: older messages leave at the next start.
MESSAGES_KEPT: Final = 20_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Remembered:
    sessions: tuple[Session, ...] = ()
    customers: tuple[Customer, ...] = ()
    messages: tuple[Message, ...] = ()


class Journal:
    """Appends changes to a file, or to nothing when there is no path (tests)."""

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._file: IO[bytes] | None = None

    def open(self) -> Remembered:
        """What earlier runs left, with the file rewritten to hold just that."""
        if self._path is None:
            return Remembered()
        remembered = _replay(_lines(self._path))
        self._path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        draft = self._path.with_suffix(".draft")
        # The journal holds webhook keys: nobody else may read it.
        draft.touch(mode=0o600)
        rows: list[Row] = [*remembered.sessions, *remembered.customers, *remembered.messages]
        draft.write_bytes(b"".join(_line(row) for row in rows))
        draft.replace(self._path)
        self._file = self._path.open("ab", buffering=0)
        return remembered

    def write(self, row: Row) -> None:
        if self._file is not None:
            self._file.write(_line(row))

    def forget_session(self, name: str) -> None:
        """A deleted session takes its chats along."""
        if self._file is not None:
            self._file.write(msgspec.json.encode(["forget_session", name]) + b"\n")

    def forget_chat(self, session: str, chat_id: str) -> None:
        if self._file is not None:
            self._file.write(msgspec.json.encode(["forget_chat", [session, chat_id]]) + b"\n")

    def close(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None


def _line(row: Row) -> bytes:
    return msgspec.json.encode([type(row).__name__, row]) + b"\n"


def _lines(path: Path) -> list[tuple[str, Any]]:
    """The readable lines; a line cut short by a crash is left out."""
    if not path.exists():
        return []
    lines = []
    for line in path.read_bytes().splitlines():
        try:
            kind, row = json.loads(line)
        except ValueError:
            continue
        lines.append((kind, row))
    return lines


def _replay(lines: Iterable[tuple[str, Any]]) -> Remembered:
    sessions: dict[str, Session] = {}
    customers: dict[str, Customer] = {}
    messages: dict[tuple[str, str, str], Message] = {}
    for kind, row in lines:
        match kind:
            case "Session":
                session = msgspec.convert(row, Session)
                sessions[session.name] = session
            case "Customer":
                customer = msgspec.convert(row, Customer)
                customers[customer.phone] = customer
            case "Message":
                message = msgspec.convert(row, Message)
                messages[message.session, message.chat_id, message.message_id] = message
            case "forget_session":
                sessions.pop(row, None)
                messages = {key: kept for key, kept in messages.items() if key[0] != row}
            case "forget_chat":
                messages = {key: kept for key, kept in messages.items() if [key[0], key[1]] != row}
            case _:
                continue
    newest = tuple(messages.values())[-MESSAGES_KEPT:]
    return Remembered(sessions=tuple(sessions.values()), customers=tuple(customers.values()), messages=newest)
