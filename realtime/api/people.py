"""/members and /audit: who belongs to the tenant, who comes and goes, and who did what."""

from dataclasses import replace
from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from pydantic import StringConstraints

from mychatflow.rules import names
from mychatflow.rules import team as rules
from mychatflow.rules.role import Permission, Role
from mychatflow.rules.team import Refusal
from mychatflow.store import audit, members, team
from realtime.api import pages
from realtime.api.bodies import Body, Shown
from realtime.api.desk import AtDesk, not_found
from realtime.api.pages import Cursor, Limit, Page
from realtime.api.problems import Problem
from realtime.api.routes import needs, tenant_router

router = tenant_router("people")


class Member(Shown):
    id: UUID
    email: str
    name: str | None
    role: str
    is_on_duty: bool
    invited_at: datetime | None
    joined_at: datetime | None
    created_at: datetime


Address = Annotated[
    str, StringConstraints(strip_whitespace=True, max_length=names.LONGEST_ADDRESS, pattern=names.ADDRESS)
]


class Invited(Body):
    email: Address
    role: Role = Role.AGENT


class MemberChange(Body):
    """Only what is given changes."""

    role: Role | None = None
    is_on_duty: bool | None = None


class AuditEntry(Shown):
    id: int
    at: datetime
    actor: str
    action: str
    subject: str | None
    detail: dict[str, Any]


@router.get("/members", summary="The tenant's people", **needs(Permission.MANAGE_TEAM))
async def list_members(desk: AtDesk, limit: Limit = 50, cursor: Cursor = None) -> Page[Member]:
    window = pages.opened(desk, "members", cursor)
    async with desk.reading() as transaction:
        rows = await members.of_tenant(transaction, desk.tenant_id, **window, limit=pages.size(limit) + 1)
    return pages.page(desk, "members", Member, rows, limit=limit, by=("created_at", "id"))


@router.post("/members", status_code=201, summary="Invite by e-mail", **needs(Permission.MANAGE_TEAM))
async def invite_member(desk: AtDesk, wanted: Invited) -> Member:
    """They are in as soon as they sign in with that verified address, within seven days."""
    async with desk.changing("member.invited") as change:
        known = await members.locked_team(change.transaction, desk.tenant_id)
        there = await members.find(change.transaction, desk.tenant_id, email=wanted.email)
        # Whoever was invited and did not come may be invited again.
        is_in = there is not None and there["joined_at"] is not None
        size = replace(known, users=known.users - 1) if there is not None and not is_in else known
        held = Role(there["role"]) if there is not None else None
        _refuse(rules.refuses_invitation(size, by=desk.caller.role, held=held, wanted=wanted.role, is_in=is_in))
        member_id = await members.invite(
            change.transaction, desk.tenant_id, email=wanted.email, role=wanted.role, at=desk.at
        )
        change.subject = str(member_id)
        change.detail["role"] = wanted.role.value
        return Member.model_validate(await members.find(change.transaction, desk.tenant_id, member_id=member_id))


@router.patch("/members/{member_id}", summary="Another role, or off duty", **needs(Permission.MANAGE_TEAM))
async def change_member(desk: AtDesk, member_id: UUID, wanted: MemberChange) -> Member:
    async with desk.changing("member.changed", member_id) as change:
        known = await members.locked_team(change.transaction, desk.tenant_id)
        member = await members.find(change.transaction, desk.tenant_id, member_id=member_id)
        if member is None:
            not_found("member")
        held = Role(member["role"])
        role = wanted.role or held
        _refuse(
            rules.refuses_change(
                known, by=desk.caller.role, held=held, is_joined=member["joined_at"] is not None, wanted=role
            )
        )
        if wanted.role is not None:
            await team.set_role(change.transaction, desk.tenant_id, member_id, role=role, at=desk.at)
            change.detail.update(role=role.value, previous=held.value)
        if wanted.is_on_duty is not None:
            await members.set_duty(change.transaction, desk.tenant_id, member_id, is_on_duty=wanted.is_on_duty)
        return Member.model_validate(await members.find(change.transaction, desk.tenant_id, member_id=member_id))


@router.delete("/members/{member_id}", status_code=204, summary="Out of the team", **needs(Permission.MANAGE_TEAM))
async def remove_member(desk: AtDesk, member_id: UUID) -> None:
    """Their sessions and their API keys stop with the next request."""
    async with desk.changing("member.removed", member_id) as change:
        known = await members.locked_team(change.transaction, desk.tenant_id)
        member = await members.find(change.transaction, desk.tenant_id, member_id=member_id)
        if member is None:
            not_found("member")
        _refuse(
            rules.refuses_change(
                known,
                by=desk.caller.role,
                held=Role(member["role"]),
                is_joined=member["joined_at"] is not None,
                wanted=None,
            )
        )
        await team.dismiss(change.transaction, desk.tenant_id, member_id, at=desk.at)


@router.get("/audit", summary="What was done, newest first", **needs(Permission.VIEW_AUDIT))
async def list_audit(desk: AtDesk, limit: Limit = 50, cursor: Cursor = None) -> Page[AuditEntry]:
    before = pages.opened(desk, "audit", cursor)["before_id"]
    async with desk.reading() as transaction:
        rows = await audit.page(transaction, desk.tenant_id, before_id=before, limit=pages.size(limit) + 1)
    return pages.page(desk, "audit", AuditEntry, rows, limit=limit, by=("at", "id"))


def _refuse(refusal: Refusal | None) -> None:
    if refusal is not None:
        raise Problem(403 if refusal == "more_than_held" else 409, refusal, rules.SAID[refusal])
