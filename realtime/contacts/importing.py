"""Reads spreadsheets of contacts in the background, a few hundred rows at a time, and goes on where it was."""

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import islice
from typing import Final

import structlog

from mychatflow.rules import contact_sheet, phone_twins
from mychatflow.rules.attributes import Definition
from mychatflow.rules.contact_sheet import Entry, Issue
from mychatflow.store import contact_attributes, contact_imports
from mychatflow.store.cipher import Unreadable
from mychatflow.store.contact_imports import MOST_ATTEMPTS, Waiting
from mychatflow.store.session import Store
from realtime import rounds

_EVERY_SECONDS: Final = 2.0
_BATCH: Final = 500
log = structlog.get_logger(__name__)
Cells = tuple[int, dict[str, str]]


class Imports:
    def __init__(self, store: Store) -> None:
        self._store = store

    async def run(self, stopping: asyncio.Event) -> None:
        """Until told to stop."""
        await rounds.keep_looking(
            lambda: self.read_next(at=datetime.now(UTC)),
            seconds=_EVERY_SECONDS,
            stopping=stopping,
            while_away="imports wait for Postgres",
        )

    async def read_next(self, *, at: datetime) -> bool:
        """Whether there was one."""
        async with self._store.platform_transaction() as transaction:
            waiting = await contact_imports.claim(transaction, at=at)
        if waiting is None:
            return False
        try:
            body, definitions = await self._opened(waiting)
        except Unreadable:
            # A new key may be on its way to this worker; what stays shut ends like a file that kills whoever reads it.
            log.warning("import not opened", tenant_id=str(waiting.tenant_id), import_id=str(waiting.id))
            if waiting.attempts <= MOST_ATTEMPTS:
                return True
            body, definitions = None, {}
        failure = None
        if body is None or waiting.attempts > MOST_ATTEMPTS:
            failure = "the file could not be read; upload it again"
        elif not await self._write(waiting, await asyncio.to_thread(contact_sheet.decoded, body), definitions, at=at):
            return True
        async with self._store.tenant_transaction(waiting.tenant_id) as transaction:
            await contact_imports.end(transaction, waiting, failure=failure, at=datetime.now(UTC))
        log.info("contacts imported", tenant_id=str(waiting.tenant_id), import_id=str(waiting.id), is_done=not failure)
        return True

    async def _opened(self, waiting: Waiting) -> tuple[bytes | None, dict[str, Definition]]:
        async with self._store.tenant_transaction(waiting.tenant_id) as transaction:
            cipher = await self._store.key_ring.for_tenant(waiting.tenant_id, transaction)
            body = await contact_imports.body_of(transaction, waiting, cipher=cipher)
            return body, await contact_attributes.definitions(transaction, waiting.tenant_id)

    async def _write(self, waiting: Waiting, sheet: str, definitions: dict[str, Definition], *, at: datetime) -> bool:
        """False when somebody else took over."""
        # Read twice, never held: ten megabytes of short cells would be two hundred of them.
        first = await asyncio.to_thread(_first_rows, sheet)
        left, done = islice(contact_sheet.rows(sheet), waiting.done_count, None), waiting.done_count
        while batch := await asyncio.to_thread(_next_rows, left):
            entries, issues = _judged(batch, first, definitions)
            async with self._store.tenant_transaction(waiting.tenant_id) as transaction:
                is_ours = await contact_imports.write(
                    transaction, waiting, entries, issues, before=done, done=done + len(batch), at=at
                )
            if not is_ours:
                return False
            done += len(batch)
        return True


def _next_rows(left: Iterator[Cells]) -> list[Cells]:
    return list(islice(left, _BATCH))


def _first_rows(sheet: str) -> dict[str, int]:
    """The row in which each phone comes first: that one counts."""
    first: dict[str, int] = {}
    for row, cells in contact_sheet.rows(sheet):
        phone = contact_sheet.normal_phone(cells.get("phone", ""))
        if phone is not None:
            first.setdefault(_either(phone), row)
    return first


def _either(phone: str) -> str:
    """One name for both forms of a Brazilian number."""
    digits = phone.removeprefix("+")
    return min(digits, (phone_twins.twin(f"{digits}@c.us") or digits).partition("@")[0])


def _judged(
    batch: list[Cells], first: dict[str, int], definitions: dict[str, Definition]
) -> tuple[list[Entry], list[Issue]]:
    entries: list[Entry] = []
    issues: list[Issue] = []
    for row, cells in batch:
        entry, faults = contact_sheet.entry(row, {"phone": ""} | cells, definitions)
        before = row if entry is None else first[_either(entry.phone)]
        if before != row:
            issues.append(Issue(row=row, column="phone", problem=f"is the same as in row {before}"))
            continue
        issues += faults
        if entry is not None:
            entries.append(entry)
    return entries, issues
