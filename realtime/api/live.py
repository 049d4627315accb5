"""/live: what happens in the tenant as it happens, as server-sent events: messages, replies, scores, statuses."""

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator
from typing import Annotated, Final
from uuid import UUID

from fastapi import Header, Query
from fastapi.responses import StreamingResponse
from pydantic_core import to_json

from mychatflow.rules.role import Permission
from mychatflow.store import live_events
from mychatflow.store.live_events import Position
from realtime.api.desk import AtDesk, Desk
from realtime.api.problems import Problem
from realtime.api.routes import needs, tenant_router

router = tenant_router("live")
# Whoever lost their place is out when the stream ends, so it ends before a minute is over.
_LONGEST_SECONDS: Final = 55
_EVERY_SECONDS: Final = 1.0
_BEAT_SECONDS: Final = 15.0
_MOST_READERS: Final = 20
_readers: Counter[UUID] = Counter()


@router.get(
    "/live",
    summary="Server-sent events",
    response_class=StreamingResponse,
    responses={200: {"content": {"text/event-stream": {"schema": {"type": "string"}}}}},
    **needs(Permission.VIEW_CONVERSATIONS),
)
async def live(
    desk: AtDesk,
    last_event_id: Annotated[str | None, Header(max_length=100, description="Go on after that event.")] = None,
    seconds: Annotated[int, Query(ge=1, le=_LONGEST_SECONDS, description="For how long; then come back.")] = (
        _LONGEST_SECONDS
    ),
) -> StreamingResponse:
    """Come back with `Last-Event-ID` and nothing is missed or told twice."""
    position = await _begin(desk, last_event_id)
    if _readers[desk.tenant_id] >= _MOST_READERS:
        raise Problem(429, "too_many_readers", f"At most {_MOST_READERS} streams of a tenant at once.")
    return StreamingResponse(
        _told(desk, position, seconds),
        media_type="text/event-stream",
        headers={"cache-control": "no-store", "x-accel-buffering": "no"},
    )


async def _begin(desk: Desk, last_event_id: str | None) -> Position:
    if last_event_id is None:
        async with desk.reading() as transaction:
            return await live_events.now(transaction)
    position = Position.parsed(last_event_id)
    if position is None:
        raise Problem(400, "invalid_cursor", "Last-Event-ID does not come from this stream.")
    return position


async def _told(desk: Desk, position: Position, seconds: int) -> AsyncIterator[str]:
    _readers[desk.tenant_id] += 1
    try:
        ends_at = time.monotonic() + seconds
        beats_at = time.monotonic() + _BEAT_SECONDS
        # The first bytes open the stream, and say where it begins to whoever leaves before anything happens.
        yield f"retry: 1000\nid: {position}\n\n"
        while time.monotonic() < ends_at:
            async with desk.reading() as transaction:
                found, position = await live_events.since(transaction, desk.tenant_id, position)
            for after, event in found:
                yield f"id: {after}\nevent: {event['event_type']}\ndata: {to_json(event).decode()}\n\n"
            if not found:
                if time.monotonic() >= beats_at:
                    beats_at = time.monotonic() + _BEAT_SECONDS
                    yield ": still here\n\n"
                await asyncio.sleep(min(_EVERY_SECONDS, max(0.0, ends_at - time.monotonic())))
    finally:
        _readers[desk.tenant_id] -= 1
