"""GET and PUT /settings: every switch of the tenant's agent, any subset at a time."""

from typing import Any

from mychatflow.rules.role import Permission
from mychatflow.store import tenant_settings
from mychatflow.store.tenant_settings import SettingsChange, SettingsRefused, UnknownModel
from realtime.api.desk import AtDesk, not_found
from realtime.api.problems import Problem
from realtime.api.routes import needs, tenant_router

router = tenant_router("settings")


@router.get("/settings", summary="All settings", **needs(Permission.VIEW_SETTINGS))
async def settings(desk: AtDesk) -> dict[str, Any]:
    async with desk.reading() as transaction:
        found = await tenant_settings.read(transaction, desk.tenant_id)
    if found is None:
        not_found("tenant")
    return dict(found)


@router.put("/settings", summary="Change the keys that are given", **needs(Permission.MANAGE_SETTINGS))
async def change_settings(desk: AtDesk, wanted: SettingsChange) -> dict[str, Any]:
    try:
        async with desk.changing("settings.changed", desk.tenant_id) as change:
            now = await tenant_settings.change(change.transaction, desk.tenant_id, wanted, house=desk.doors.settings)
            if now is None:
                not_found("tenant")
            # Keys only: a greeting may hold anything.
            change.detail["keys"] = sorted(wanted.model_fields_set)
    except SettingsRefused as refused:
        kind = "unknown_model" if isinstance(refused, UnknownModel) else "contradiction"
        where = {"where": ["body", refused.field], "problem": refused.fault, "kind": kind}
        raise Problem(422, "invalid", "These settings cannot stand together.", errors=[where]) from refused
    return dict(now)
