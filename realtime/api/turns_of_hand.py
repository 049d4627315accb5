"""Who answers a contact: hand off, release, take over, hand back and resolve."""

from datetime import datetime
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from mychatflow.events import EventType
from mychatflow.rules.role import Permission
from mychatflow.store import analytics_events, episodes, ownership
from realtime.agent.episodes import outcome_of
from realtime.api.bodies import Body, Line
from realtime.api.contacts import Contact, must_find, shown
from realtime.api.desk import AtDesk, Change, Desk
from realtime.api.episodes import Episode, as_engine_episode
from realtime.api.problems import Problem
from realtime.api.routes import needs, tenant_router

router = tenant_router("conversations")


class Handoff(Body):
    reason: Line = "manual"


@router.post("/contacts/{contact_id}/handoff", summary="A person must answer", **needs(Permission.TAKE_OVER))
async def hand_off(desk: AtDesk, contact_id: UUID, wanted: Handoff | None = None) -> Contact:
    reason = wanted.reason if wanted else "manual"
    async with desk.changing("contact.handed_off", contact_id) as change:
        contact = await must_find(desk, change.transaction, contact_id)
        await _to_human(desk, change, contact_id, reason=reason, is_handoff=True)
        await episodes.note_handoff(change.transaction, desk.tenant_id, contact_id, reason=reason)
        await analytics_events.record(
            change.transaction,
            desk.tenant_id,
            EventType.HANDOFF_TRIGGERED,
            natural_key=f"{contact_id}:{desk.at.isoformat()}",
            at=desk.at,
            instance_id=contact["instance_id"],
            contact_id=contact_id,
            # A person's own words stay here: facts hold no text.
            properties={"reason": "manual", "matched": None},
        )
        return await shown(desk, change.transaction, contact_id)


@router.post("/contacts/{contact_id}/release", summary="The agent may answer again", **needs(Permission.TAKE_OVER))
async def release(desk: AtDesk, contact_id: UUID) -> Contact:
    async with desk.changing("contact.released", contact_id) as change:
        return await _to_agent(desk, change, contact_id, reason="released")


@router.post("/conversations/{contact_id}/takeover", summary="I answer from now on", **needs(Permission.TAKE_OVER))
async def take_over(desk: AtDesk, contact_id: UUID) -> Contact:
    async with desk.changing("conversation.taken_over", contact_id) as change:
        await must_find(desk, change.transaction, contact_id)
        await _to_human(desk, change, contact_id, reason="takeover")
        return await shown(desk, change.transaction, contact_id)


@router.post("/conversations/{contact_id}/handback", summary="The agent answers again", **needs(Permission.TAKE_OVER))
async def hand_back(desk: AtDesk, contact_id: UUID) -> Contact:
    async with desk.changing("conversation.handed_back", contact_id) as change:
        return await _to_agent(desk, change, contact_id, reason="handback")


@router.post("/conversations/{contact_id}/resolve", summary="Done: close the episode", **needs(Permission.TAKE_OVER))
async def resolve(desk: AtDesk, contact_id: UUID) -> Episode:
    async with desk.changing("conversation.resolved", contact_id) as change:
        transaction = change.transaction
        await must_find(desk, transaction, contact_id)
        row = await episodes.open_one(transaction, desk.tenant_id, contact_id)
        if row is None:
            raise Problem(409, "nothing_open", "This conversation has no open episode.")
        outcome = outcome_of(as_engine_episode(row))
        await episodes.resolve(transaction, desk.tenant_id, row["id"], outcome=outcome, at=desk.at)
        await _record_closing(desk, transaction, Episode.model_validate({**row, "outcome": outcome}))
        await _to_agent(desk, change, contact_id, reason="resolved")
        closed = await episodes.by_id(transaction, desk.tenant_id, row["id"])
    return Episode.model_validate(closed)


async def _to_human(desk: Desk, change: Change, contact_id: UUID, *, reason: str, is_handoff: bool = False) -> None:
    await ownership.to_human(
        change.transaction,
        desk.tenant_id,
        contact_id,
        reason=reason,
        at=desk.at,
        member_id=desk.caller.member_id,
        is_handoff=is_handoff,
    )


async def _to_agent(desk: Desk, change: Change, contact_id: UUID, *, reason: str) -> Contact:
    await must_find(desk, change.transaction, contact_id)
    await ownership.to_agent(
        change.transaction, desk.tenant_id, contact_id, reason=reason, at=desk.at, member_id=desk.caller.member_id
    )
    return await shown(desk, change.transaction, contact_id)


async def _record_closing(desk: Desk, transaction: AsyncConnection, episode: Episode) -> None:
    properties = {
        "outcome": episode.outcome,
        "started_at": episode.started_at.isoformat(),
        "first_response_ms": _ms(episode.first_reply_at, episode.started_at),
        "resolution_ms": _ms(desk.at, episode.started_at),
        "reply_counts": {"agent": episode.agent_reply_count, "human": episode.human_reply_count},
    }
    await analytics_events.record(
        transaction,
        desk.tenant_id,
        EventType.EPISODE_CLOSED,
        natural_key=str(episode.id),
        at=desk.at,
        instance_id=episode.instance_id,
        contact_id=episode.contact_id,
        episode_id=episode.id,
        properties=properties,
    )


def _ms(later: datetime | None, earlier: datetime) -> int | None:
    return None if later is None else round((later - earlier).total_seconds() * 1000)
