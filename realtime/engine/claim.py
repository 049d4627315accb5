"""Step two: a worker takes the chats that are due, alone, and reads all that their turns start from."""

import socket
import time
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final, TypeVar
from uuid import UUID

from realtime.engine import sql
from realtime.engine.batcher import Batcher
from realtime.engine.pool import Pool
from realtime.engine.records import Record
from realtime.engine.work import Chat, Contact, Episode, InboxRow, Lease, Number, OutboxRow, Recent

LEASE_SECONDS: Final = 15.0
RENEW_SECONDS: Final = 4.0
# A worker killed at random every few seconds holds a message of a second or two at one of five deaths, so this many
# in a row are the message's doing (one of ten million) and not chance (with half as many it is one of three thousand).
MOST_DEATHS: Final = 10
_SWEEP_SECONDS: Final = 1.0
# Among how many of the chats that are due a crowded claim shares its places: reading them takes some 20 ms.
_REACH: Final = 20_000
# In the order of the fields of Recent.
_RECENT: Final = tuple(f"recent_{name}" for name in ("ids", "times", "directions", "authors", "types", "contents"))
# Of the chats that were chosen in the same transaction.
_READ: Final[Sequence[sql.Step]] = (("inbox", {}), ("outbox", {}), ("chats", {}))
_Part = TypeVar("_Part", bound=Record)
_Kind = TypeVar("_Kind")


class Release(Record, frozen=True, kw_only=True):
    """Gives the chat back; with `due_at` it is looked at again then."""

    tenant_id: UUID
    instance_id: UUID
    chat_id: str
    fence: int
    due_at: datetime | None = None


def release_of(lease: Lease, *, due_at: datetime | None = None) -> Release:
    return Release(
        tenant_id=lease.tenant_id,
        instance_id=lease.instance_id,
        chat_id=lease.chat_id,
        fence=lease.fence,
        due_at=due_at,
    )


class Claims:
    """The chats of one worker process."""

    def __init__(self, pool: Pool, *, index: int) -> None:
        self._pool = pool
        self._worker = f"{socket.gethostname()}/{index}"
        self._sweeps_at = 0.0
        # The last claim took all that it could: some tenant may have more chats due than a claim holds.
        self._is_crowded = False
        # Read together with the claim, until their turns begin.
        self._claimed: dict[Lease, Chat] = {}
        self._reads: Batcher[tuple[Lease, str], Chat] = Batcher(
            self._read, max_size=200, splits_on=sql.SPLITS_ON, tenant=lambda asked: asked[0].tenant_id
        )
        self._releases: Batcher[Release, bool] = Batcher(self._release, max_size=500)
        self._echoes: Batcher[Chat, bool] = Batcher(self._finish_echoes, max_size=500)

    @property
    def pending(self) -> int:
        return self._reads.pending + self._releases.pending

    async def inherit(self) -> None:
        """Free what a killed predecessor of the same name held."""
        await sql.run(self._pool, ("reopen", {"worker": self._worker}), is_durable=False)

    async def take(self, *, most: int, without: Collection[UUID] = ()) -> tuple[list[Lease], float | None]:
        """Chats that are ours from now on, of other tenants than those, and the seconds until the next one is due.

        The fence stops whoever held them before.
        """
        parameters = {"most": most, "seconds": LEASE_SECONDS, "worker": self._worker}
        if self._is_crowded or without:
            shares = {"reach": _REACH, "without": list(without)}
            leases, due = await self._take("claim_fairly", parameters | shares)
        else:
            leases, due = await self._take_and_read(parameters)
        self._is_crowded = len(leases) == most or bool(without)
        return leases, float(due[0]["seconds"]) if due else None

    async def _take(self, name: str, parameters: sql.Parameters) -> tuple[list[Lease], list[sql.Row]]:
        """Read afterwards, by itself: others' claims need not wait until all of a crowd is read."""
        steps = (*self._sweep(parameters["most"]), (name, parameters), ("next_due", {}))
        *_, rows, due = await sql.run(self._pool, *steps, is_durable=False)
        return [_lease(row) for row in rows], due

    async def _take_and_read(self, parameters: sql.Parameters) -> tuple[list[Lease], list[sql.Row]]:
        """In one round trip, as there is hardly ever more than a chat or two."""
        steps = (*self._sweep(parameters["most"]), ("claim", parameters), *_READ, ("next_due", {}))
        try:
            *_, rows, inbox, outbox, facts, due = await sql.run(self._pool, *steps)
        except sql.SPLITS_ON:
            # One that cannot be read: the others' turns must not wait for it.
            return await self._take("claim", parameters)
        leases = [_lease(row) for row in rows]
        for lease, chat in zip(leases, _chats(leases, inbox, outbox, facts), strict=True):
            if isinstance(chat, Chat):
                self._claimed[lease] = chat
        return leases, due

    def _sweep(self, most: int) -> Sequence[sql.Step]:
        """Now and then, what dead workers held is freed first."""
        if time.monotonic() < self._sweeps_at:
            return ()
        self._sweeps_at = time.monotonic() + _SWEEP_SECONDS
        return (("orphans", {"most": most, "limit": MOST_DEATHS}),)

    async def chat(self, lease: Lease) -> Chat:
        """All that the chat holds: what was read with its claim a moment ago, and read anew from then on."""
        return self._claimed.pop(lease, None) or await self.read(lease)

    async def read(self, lease: Lease, *, wa_id: str | None = None) -> Chat:
        """All that the chat holds at this moment; `wa_id` where its contact is known by another id than the chat."""
        return await self._reads.submit((lease, wa_id or lease.chat_id))

    async def renew(self, leases: Sequence[Lease]) -> None:
        parameters = {"leases": sql.rows(leases), "seconds": LEASE_SECONDS}
        await sql.run(self._pool, ("renew", parameters), is_durable=False)

    async def release(self, lease: Lease, *, due_at: datetime | None = None) -> bool:
        """Whether more work waits already."""
        return await self._releases.submit(release_of(lease, due_at=due_at))

    async def finish_echoes(self, chat: Chat) -> bool:
        """End a turn in which only our own messages came back; whether more work waits already."""
        return await self._echoes.submit(chat)

    async def drop(self, lease: Lease) -> bool:
        """Let go of all that a chat of a business without keys holds; whether more came meanwhile."""
        turns = sql.rows([_identified(lease) | {"fence": lease.fence}])
        _, rows = await sql.run(self._pool, ("lock", {"turns": turns}), ("drop", {"turns": turns}), is_durable=False)
        return any(row["is_due"] for row in rows)

    async def _finish_echoes(self, chats: list[Chat]) -> Sequence[bool]:
        ordered = sorted((chat.lease for chat in chats), key=place)
        seqs = {chat.lease: [row.seq for row in chat.inbox] for chat in chats}
        turns = sql.rows([_identified(lease) | {"fence": lease.fence, "seqs": seqs[lease]} for lease in ordered])
        _, rows = await sql.run(self._pool, ("lock", {"turns": turns}), ("echoes", {"turns": turns}), is_durable=False)
        return [any(row["is_due"] for row in rows)] * len(chats)

    async def _release(self, releases: list[Release]) -> Sequence[bool]:
        ordered = sorted(releases, key=place)
        _, rows = await sql.run(
            self._pool,
            ("lock", {"turns": sql.rows(ordered)}),
            ("release", {"releases": sql.rows(ordered)}),
            is_durable=False,
        )
        is_due = any(row["is_due"] for row in rows)
        return [is_due] * len(releases)

    async def _read(self, asked: list[tuple[Lease, str]]) -> Sequence[Chat | Exception]:
        chats = {"chats": sql.rows([_numbered(n, lease, wa_id) for n, (lease, wa_id) in enumerate(asked)])}
        _, inbox, outbox, facts = await sql.run(self._pool, ("choose", chats), *_READ)
        return _chats([lease for lease, _ in asked], inbox, outbox, facts)


def _lease(row: sql.Row) -> Lease:
    return Lease(**{name: row[name] for name in Lease.__struct_fields__})


def _chats(
    leases: Sequence[Lease], inbox: Sequence[sql.Row], outbox: Sequence[sql.Row], facts: Sequence[sql.Row]
) -> list[Chat | Exception]:
    """One for each lease, by its place among them."""
    received, waiting = _by_chat(InboxRow, inbox), _by_chat(OutboxRow, outbox)
    known = {row["n"]: row for row in facts}
    return [
        _chat(lease, known[n], received[n], waiting[n]) if n in known else LookupError("the number is gone")
        for n, lease in enumerate(leases)
    ]


def place(chat: Lease | Release) -> tuple[UUID, UUID, str]:
    """The chat's key, and its place in the order in which all lock."""
    return chat.tenant_id, chat.instance_id, chat.chat_id


def _identified(lease: Lease) -> dict[str, Any]:
    return {"tenant_id": lease.tenant_id, "instance_id": lease.instance_id, "chat_id": lease.chat_id}


def _numbered(n: int, lease: Lease, wa_id: str) -> dict[str, Any]:
    return {"n": n, "wa_id": wa_id} | _identified(lease)


def _chat(lease: Lease, row: sql.Row, inbox: list[InboxRow], outbox: list[OutboxRow]) -> Chat:
    return Chat(
        lease=lease,
        read_at=row["read_at"],
        number=_part(Number, row, "number_"),
        plan=row["plan"],
        is_suspended=row["is_suspended"],
        is_given_up=row["is_given_up"],
        tenant_version=row["tenant_version"],
        used_today=row["used_today"],
        counted_on=row["counted_on"],
        replies_last_hour=row["replies_last_hour"],
        is_own_number=row["is_own_number"],
        contact=_part(Contact, row, "contact_") if row["contact_id"] else None,
        episode=_part(Episode, row, "episode_") if row["episode_id"] else None,
        recent=_recent(row),
        inbox=tuple(inbox),
        outbox=tuple(outbox),
    )


def _recent(row: sql.Row) -> tuple[Recent, ...]:
    if row["recent_ids"] is None:
        return ()
    return tuple(map(Recent, *(row[column] for column in _RECENT)))


def _part(kind: type[_Part], row: sql.Row, prefix: str) -> _Part:
    return kind(**{name: row[prefix + name] for name in kind.__struct_fields__})


def _by_chat(kind: type[_Kind], rows: Iterable[Mapping[str, Any]]) -> dict[int, list[_Kind]]:
    found: dict[int, list[_Kind]] = defaultdict(list)
    for row in rows:
        found[row["n"]].append(kind(**{name: value for name, value in row.items() if name != "n"}))
    return found
