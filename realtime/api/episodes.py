"""/episodes: each conversation from its first message to its end, and how it ended."""

from datetime import datetime
from typing import Literal
from uuid import UUID

from mychatflow.rules.role import Permission
from mychatflow.store import episodes
from realtime.api import pages
from realtime.api.bodies import Shown
from realtime.api.desk import AtDesk, not_found
from realtime.api.pages import Cursor, Limit, Page
from realtime.api.routes import needs, tenant_router

router = tenant_router("episodes")
Outcome = Literal["open", "autonomous", "assisted", "handed_off", "abandoned", "blocked_by_quota"]


class Episode(Shown):
    id: UUID
    contact_id: UUID
    instance_id: UUID
    start_reason: str
    outcome: str
    handoff_reason: str | None
    resolved_by: str | None
    language: str | None
    inbound_count: int
    agent_reply_count: int
    human_reply_count: int
    is_waiting: bool
    waiting_since: datetime | None
    started_at: datetime
    first_reply_at: datetime | None
    resolved_at: datetime | None
    closed_at: datetime | None


@router.get("/episodes", summary="Episodes, latest first", **needs(Permission.VIEW_CONVERSATIONS))
async def list_episodes(
    desk: AtDesk,
    outcome: Outcome | None = None,
    contact_id: UUID | None = None,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> Page[Episode]:
    window = pages.opened(desk, "episodes", cursor)
    async with desk.reading() as transaction:
        rows = await episodes.page(
            transaction, desk.tenant_id, outcome=outcome, contact_id=contact_id, **window, limit=pages.size(limit) + 1
        )
    return pages.page(desk, "episodes", Episode, rows, limit=limit, by=("started_at", "id"))


@router.get("/episodes/{episode_id}", summary="One episode", **needs(Permission.VIEW_CONVERSATIONS))
async def read_episode(desk: AtDesk, episode_id: UUID) -> Episode:
    async with desk.reading() as transaction:
        found = await episodes.by_id(transaction, desk.tenant_id, episode_id)
    if found is None:
        not_found("episode")
    return Episode.model_validate(found)
