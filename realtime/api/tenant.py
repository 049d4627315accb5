"""GET /tenant: who the caller works for, and as what."""

from uuid import UUID

from mychatflow.rules.plan import DAILY_MESSAGES, USERS
from mychatflow.rules.role import Permission
from mychatflow.store import tenants
from realtime.api.bodies import Shown
from realtime.api.desk import AtDesk, not_found
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
