"""/tenant: who the caller works for, and as what; and the end of it."""

from uuid import UUID

from mychatflow.rules.plan import DAILY_MESSAGES, USERS
from mychatflow.rules.role import Permission
from mychatflow.store import tenants
from mychatflow.store.erasure import OnLegalHold
from mychatflow.store.privacy import NotConfirmed, Privacy
from realtime.api.bodies import Body, Line, Shown
from realtime.api.desk import AtDesk, not_found
from realtime.api.problems import Problem
from realtime.api.routes import needs, tenant_router

router = tenant_router("tenant")


class ShownTenant(Shown):
    id: UUID
    name: str
    plan: str
    timezone: str
    is_demo: bool
    daily_message_limit: int
    user_limit: int
    role: str


class Hold(Body):
    """The reason is kept in the audit."""

    is_on: bool
    reason: Line


class ShownHold(Shown):
    is_on: bool


class TheEnd(Body):
    """The tenant's name, typed out: there is no way back."""

    confirm: Line


@router.delete("/tenant", status_code=204, summary="End it and drop its keys", **needs(Permission.DELETE_TENANT))
async def end_tenant(desk: AtDesk, wanted: TheEnd) -> None:
    """Nobody reads its words again; a backup of before keeps them until it ends, and a restore drops the keys anew."""
    async with desk.changing("tenant.shredded", desk.tenant_id):
        try:
            privacy = Privacy(desk.doors.store, desk.doors.settings)
            await privacy.end_tenant(desk.tenant_id, confirm=wanted.confirm, at=desk.at)
        except OnLegalHold as held:
            detail = "This tenant is on legal hold: nothing may be deleted until it ends."
            raise Problem(409, "legal_hold", detail) from held
        except NotConfirmed as mistyped:
            raise Problem(422, "not_confirmed", "`confirm` must be the tenant's name.") from mistyped


@router.get("/tenant/legal-hold", summary="Whether nothing may be deleted", **needs(Permission.VIEW_AUDIT))
async def read_hold(desk: AtDesk) -> ShownHold:
    async with desk.reading() as transaction:
        return ShownHold(is_on=await tenants.is_on_legal_hold(transaction, desk.tenant_id))


@router.put("/tenant/legal-hold", summary="Begin or end a legal hold", **needs(Permission.HOLD_DATA))
async def set_hold(desk: AtDesk, wanted: Hold) -> ShownHold:
    """Until it ends no person, text or workspace is deleted, by anybody; asked twice it changes nothing more."""
    action = "legal_hold.begun" if wanted.is_on else "legal_hold.ended"
    async with desk.changing(action, desk.tenant_id) as change:
        change.detail["reason"] = wanted.reason
        await tenants.set_legal_hold(change.transaction, desk.tenant_id, is_on=wanted.is_on)
    return ShownHold(is_on=wanted.is_on)


@router.get("/tenant", summary="The tenant of this token", **needs(Permission.VIEW_ANALYTICS))
async def tenant(desk: AtDesk) -> ShownTenant:
    async with desk.reading() as transaction:
        found = await tenants.by_id(transaction, desk.tenant_id)
    if found is None:
        not_found("tenant")
    return ShownTenant(
        id=found.tenant_id,
        name=found.name,
        plan=found.plan.value,
        timezone=found.timezone,
        is_demo=found.is_demo,
        daily_message_limit=DAILY_MESSAGES[found.plan],
        user_limit=USERS[found.plan],
        role=desk.caller.role.value,
    )
