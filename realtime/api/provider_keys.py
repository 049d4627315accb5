"""/provider-keys: a tenant's own keys of model providers; written, never read back."""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import Field, SecretStr, StringConstraints

from mychatflow.rules.role import Permission
from mychatflow.store import provider_keys
from realtime.api.bodies import Body, Shown
from realtime.api.desk import AtDesk
from realtime.api.pages import Page
from realtime.api.routes import needs, tenant_router

router = tenant_router("provider-keys")
Provider = Literal["openai", "anthropic", "gemini"]
_Key = Annotated[SecretStr, Field(min_length=8, max_length=400)]


class NewProviderKey(Body):
    """Without a key (null) the house's own is used again."""

    provider: Provider
    key: _Key | None


class ProviderKey(Shown):
    provider: str
    last_four: Annotated[str, StringConstraints(max_length=4)]
    created_at: datetime


@router.get("/provider-keys", summary="Which providers have a key of ours", **needs(Permission.MANAGE_API_KEYS))
async def list_provider_keys(desk: AtDesk) -> Page[ProviderKey]:
    async with desk.reading() as transaction:
        rows = await provider_keys.all_keys(transaction, desk.tenant_id)
    return Page(data=[ProviderKey.model_validate(dict(row)) for row in rows], next_cursor=None)


@router.put("/provider-keys", summary="Use a key of our own, or the house's again", **needs(Permission.MANAGE_API_KEYS))
async def put_provider_key(desk: AtDesk, wanted: NewProviderKey) -> Page[ProviderKey]:
    action = "provider_key.removed" if wanted.key is None else "provider_key.set"
    async with desk.changing(action, wanted.provider) as change:
        if wanted.key is None:
            await provider_keys.delete(change.transaction, desk.tenant_id, wanted.provider)
        else:
            cipher = await desk.cipher(change.transaction)
            key = wanted.key.get_secret_value()
            await provider_keys.put(change.transaction, desk.tenant_id, wanted.provider, key, cipher=cipher)
        rows = await provider_keys.all_keys(change.transaction, desk.tenant_id)
    return Page(data=[ProviderKey.model_validate(dict(row)) for row in rows], next_cursor=None)
