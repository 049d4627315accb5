"""What happens in a tenant as it happens, in an order that a reader can come back to without a gap or a double."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Self
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

_MOST: Final = 500
_FORM: Final = re.compile(r"(\d{1,19})-([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})")
_HORIZON: Final = text("select pg_snapshot_xmin(pg_current_snapshot())::text::bigint as horizon")
# Only what ended before the oldest transaction under way: nothing can be committed behind the reader's back. What a
# merge or an erasure wrote once more keeps its first place, where it was told.
_SINCE: Final = text(
    """
    select event_id, event_type, occurred_at, instance_id, contact_id, episode_id, properties,
        coalesce(first_xid, ingested_xid)::text::bigint as xid
    from analytics_events
    where tenant_id = :tenant_id
        and ingested_xid >= cast(:xid_words as xid8)
        and coalesce(first_xid, ingested_xid)::text::bigint < :horizon
        and (coalesce(first_xid, ingested_xid)::text::bigint, event_id) > (:xid, cast(:event_id as uuid))
    order by coalesce(first_xid, ingested_xid), event_id
    limit :most
    """
)


@dataclass(frozen=True, slots=True)
class Position:
    """The last event a reader has."""

    xid: int
    event_id: UUID

    @classmethod
    def parsed(cls, words: str) -> Self | None:
        """None for what is no position of ours."""
        match = _FORM.fullmatch(words)
        return cls(int(match[1]), UUID(match[2])) if match and int(match[1]) < 1 << 63 else None

    def __str__(self) -> str:
        return f"{self.xid}-{self.event_id}"


async def now(transaction: AsyncConnection) -> Position:
    """Where a reader begins who has seen nothing."""
    return Position(int((await transaction.execute(_HORIZON)).scalar_one()), UUID(int=0))


async def since(
    transaction: AsyncConnection, tenant_id: UUID, position: Position
) -> tuple[list[tuple[Position, Mapping[str, Any]]], Position]:
    """The next events, oldest first, each with the position after it; and where to go on from."""
    ahead = await now(transaction)
    values = {
        "tenant_id": tenant_id,
        "xid": position.xid,
        "xid_words": str(position.xid),
        "event_id": position.event_id,
        "horizon": ahead.xid,
        "most": _MOST,
    }
    rows = (await transaction.execute(_SINCE, values)).mappings().all()
    found: list[tuple[Position, Mapping[str, Any]]] = [
        (Position(row["xid"], row["event_id"]), {name: value for name, value in row.items() if name != "xid"})
        for row in rows
    ]
    if len(found) == _MOST:
        return found, found[-1][0]
    # All before the horizon is told. A position of another installation may be ahead of ours.
    return found, ahead if ahead.xid > position.xid else position
