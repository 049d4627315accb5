"""Who answers a contact: hand off, release, take over, hand back and resolve."""

from typing import Annotated
from uuid import UUID

from pydantic import Field

from mychatflow.events import EventType
from mychatflow.rules import handoff
from mychatflow.rules.handoff import ByHand
from mychatflow.rules.role import Permission
from mychatflow.store import analytics_events, colleagues, episodes, ownership
from mychatflow.store.on_record import Change
from realtime.api.bodies import Body, Line, shown_as
from realtime.api.contacts import Contact, must_find, shown
from realtime.api.desk import AtDesk, Desk
from realtime.api.episodes import Episode
from realtime.api.problems import Problem
from realtime.api.routes import needs, tenant_router

router = tenant_router("conversations")


class Handoff(Body):
    """Of the reasons that are counted, or in words of one's own: the contact shows them, and they count as manual."""

    model_config = shown_as({"reason": ByHand.COMPLAINT})

    reason: Annotated[Line, Field(description=f"{', '.join(ByHand)}, or other words.")] = ByHand.MANUAL


@router.post("/contacts/{contact_id}/handoff", summary="A person must answer", **needs(Permission.TAKE_OVER))
async def hand_off(desk: AtDesk, contact_id: UUID, wanted: Handoff | None = None) -> Contact:
    words = (wanted or Handoff()).reason
    reason = handoff.counted(words)
    async with desk.changing("contact.handed_off", contact_id) as change:
        contact = await must_find(desk, change.transaction, contact_id)
        await _to_human(desk, change, contact_id, reason=words, is_handoff=True)
        await episodes.note_handoff(change.transaction, desk.tenant_id, contact_id, reason=reason)
        await analytics_events.record(
            change.transaction,
            desk.tenant_id,
            EventType.HANDOFF_TRIGGERED,
            natural_key=f"{contact_id}:{desk.at.isoformat()}",
            at=desk.at,
            instance_id=contact["instance_id"],
            contact_id=contact_id,
            properties={"reason": reason, "matched": None},
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
        closed = await colleagues.resolve(
            transaction, desk.tenant_id, contact_id, at=desk.at, member_id=desk.caller.member_id
        )
        if closed is None:
            raise Problem(409, "nothing_open", "This conversation has no open episode.")
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
