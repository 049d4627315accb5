"""/api-keys: keys for programs, shown once."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from pydantic import AwareDatetime, Field

from mychatflow.rules import role
from mychatflow.rules.role import Permission, Role
from mychatflow.store import api_keys
from mychatflow.store.api_keys import ApiKey
from realtime.api.bodies import Body, Line, Shown
from realtime.api.desk import AtDesk, Desk, not_found
from realtime.api.pages import Page
from realtime.api.problems import Problem
from realtime.api.routes import needs, tenant_router

router = tenant_router("api-keys")


class NewKey(Body):
    """No scopes means all that the role may do; made with a key that ends, it ends with that one at the latest."""

    name: Line
    role: Role = Role.VIEWER
    scopes: Annotated[tuple[Permission, ...], Field(max_length=len(Permission))] = ()
    expires_at: AwareDatetime | None = None


class ShownKey(Shown):
    id: UUID
    name: str
    prefix: str
    role: str
    scopes: tuple[str, ...]
    made_with: UUID | None
    created_at: datetime
    last_used_at: datetime | None
    expires_at: datetime | None
    revoked_at: datetime | None


class CreatedKey(ShownKey):
    """The only answer that holds the key itself."""

    api_key: str = Field(repr=False)


@router.get("/api-keys", summary="All keys, by their first letters", **needs(Permission.MANAGE_API_KEYS))
async def list_keys(desk: AtDesk) -> Page[ShownKey]:
    async with desk.reading() as transaction:
        found = await api_keys.all_keys(transaction, desk.tenant_id)
    return Page(data=[ShownKey.model_validate(_shown(key)) for key in found], next_cursor=None)


@router.post("/api-keys", status_code=201, summary="Make a key", **needs(Permission.MANAGE_API_KEYS))
async def create_key(desk: AtDesk, wanted: NewKey) -> CreatedKey:
    _refuse_more_than_held(desk, wanted)
    async with desk.changing("api_key.created") as change:
        key, secret = await api_keys.create(
            change.transaction,
            desk.tenant_id,
            name=wanted.name,
            role=wanted.role,
            scopes=[scope.value for scope in wanted.scopes],
            created_by=desk.caller.member_id,
            with_key=desk.caller.key_id,
            expires_at=wanted.expires_at,
        )
        change.subject = str(key.key_id)
        change.detail.update(role=wanted.role.value, prefix=key.prefix)
    return CreatedKey.model_validate(_shown(key) | {"api_key": secret})


@router.delete("/api-keys/{key_id}", status_code=204, summary="Revoke a key", **needs(Permission.MANAGE_API_KEYS))
async def revoke_key(desk: AtDesk, key_id: UUID) -> None:
    """And every key that was made with it, or with one of those."""
    async with desk.changing("api_key.revoked", key_id) as change:
        count = await api_keys.revoke(change.transaction, desk.tenant_id, key_id, at=desk.at)
        if not count:
            not_found("live API key")
        change.detail["keys"] = count


def _refuse_more_than_held(desk: Desk, wanted: NewKey) -> None:
    held = desk.caller.scopes
    is_within = not held or (wanted.scopes and held.issuperset(scope.value for scope in wanted.scopes))
    if not is_within or not role.may_grant(desk.caller.role, wanted.role):
        raise Problem(403, "forbidden", "A key cannot hold more than whoever makes it.")
    if wanted.expires_at is not None and wanted.expires_at <= desk.at:
        where = {"where": ["body", "expires_at"], "problem": "is in the past", "kind": "past"}
        raise Problem(422, "invalid", "Some fields are not as they must be.", errors=[where])
    useless = [scope.value for scope in wanted.scopes if not role.may(wanted.role, scope)]
    if useless:
        problem = f"the role {wanted.role.value} may not: {', '.join(useless)}"
        where = {"where": ["body", "scopes"], "problem": problem, "kind": "beyond_role"}
        raise Problem(422, "invalid", "Some fields are not as they must be.", errors=[where])


def _shown(key: ApiKey) -> dict[str, object]:
    return {
        "id": key.key_id,
        "name": key.name,
        "prefix": key.prefix,
        "role": key.role.value,
        "scopes": key.scopes,
        "made_with": key.made_with,
        "created_at": key.created_at,
        "last_used_at": key.last_used_at,
        "expires_at": key.expires_at,
        "revoked_at": key.revoked_at,
    }
