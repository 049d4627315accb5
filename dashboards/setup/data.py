"""How a workspace is set up, as it is this second; nothing of it stays in a cache."""

from collections.abc import Collection, Mapping
from datetime import date
from functools import partial
from typing import Any
from uuid import UUID

from dashboards.operational import bridge
from mychatflow.rules.plan import Plan
from mychatflow.rules.role import RANKS, Role
from mychatflow.store import (
    api_keys,
    audit,
    data_requests,
    documents,
    instances,
    members,
    names,
    quick_replies,
    quota,
    tenant_settings,
    tenants,
    unanswered,
    webhook_deliveries,
    webhook_endpoints,
)
from mychatflow.store.api_keys import ApiKey
from mychatflow.store.cipher import TenantCipher, Unreadable
from mychatflow.store.data_requests import Kind

Rows = list[dict[str, Any]]
_FIRST_PAGE: Mapping[str, Any] = {"before_at": None, "before_id": None, "limit": 200}


def settings(tenant_id: UUID) -> dict[str, Any]:
    found = bridge().in_tenant(tenant_id, partial(tenant_settings.read, tenant_id=tenant_id))
    return {} if found is None else dict(found)


def texts(tenant_id: UUID) -> Rows:
    """Quick replies, newest first, those that rest too."""
    return _rows(tenant_id, quick_replies.page)


def files(tenant_id: UUID) -> Rows:
    """Documents, newest first."""
    return _rows(tenant_id, documents.page)


def questions(tenant_id: UUID) -> Rows:
    """What customers asked in vain, the latest first, in their words while these are kept."""

    async def read(transaction: Any, cipher: TenantCipher) -> Rows:
        rows = await unanswered.page(transaction, tenant_id, with_settled=False, **_FIRST_PAGE)
        return [dict(row) | {"words": _words(row, cipher)} for row in rows]

    return bridge().opened(tenant_id, read)


def numbers(tenant_id: UUID) -> Rows:
    return _rows(tenant_id, instances.page)


def connection_changes(tenant_id: UUID, instance_id: UUID) -> Rows:
    """How the number's connection came and went, newest first."""
    read = partial(instances.changes, tenant_id=tenant_id, instance_id=instance_id, limit=20)
    return [dict(row) for row in bridge().in_tenant(tenant_id, read)]


def team(tenant_id: UUID) -> Rows:
    """The highest role first, then by name."""
    rows = _rows(tenant_id, members.of_tenant)
    return sorted(rows, key=lambda row: (-RANKS.index(Role(row["role"])), (row["name"] or row["email"]).casefold()))


def keys(tenant_id: UUID) -> list[ApiKey]:
    return bridge().in_tenant(tenant_id, partial(api_keys.all_keys, tenant_id=tenant_id))


def webhooks(tenant_id: UUID) -> Rows:
    """Where facts are told, newest first."""
    read = partial(webhook_endpoints.all_endpoints, tenant_id=tenant_id)
    return [dict(row) for row in bridge().in_tenant(tenant_id, read)]


def deliveries(tenant_id: UUID, endpoint_id: UUID) -> Rows:
    """What was told there of late, the latest first."""
    window = {**_FIRST_PAGE, "limit": 20}
    read = partial(webhook_deliveries.page, tenant_id=tenant_id, endpoint_id=endpoint_id, state=None, **window)
    return [dict(row) for row in bridge().in_tenant(tenant_id, read)]


def record(tenant_id: UUID) -> Rows:
    """What was done, newest first."""
    read = partial(audit.page, tenant_id=tenant_id, before_id=None, limit=200)
    return [dict(row) for row in bridge().in_tenant(tenant_id, read)]


def called(tenant_id: UUID, ids: Collection[UUID]) -> dict[UUID, str]:
    """What those people and things of the workspace are called; contacts are asked for by `data.people`."""
    return bridge().in_tenant(tenant_id, partial(names.of, tenant_id=tenant_id, ids=ids))


def requests(tenant_id: UUID, kind: Kind) -> Rows:
    """Copies or erasures that were asked for, newest first."""
    read = partial(data_requests.page, kind=kind, tenant_id=tenant_id, **_FIRST_PAGE)
    return bridge().in_tenant(tenant_id, read)


def is_on_legal_hold(tenant_id: UUID) -> bool:
    return bridge().in_tenant(tenant_id, partial(tenants.is_on_legal_hold, tenant_id=tenant_id))


def plan_of(tenant_id: UUID) -> Plan:
    found = bridge().in_tenant(tenant_id, partial(tenants.by_id, tenant_id=tenant_id))
    return Plan.FREE if found is None else found.plan


def usage(tenant_id: UUID, *, since: date) -> dict[date, int]:
    """Messages of the plan that each day took; a day of none is not there."""
    return bridge().in_tenant(tenant_id, partial(quota.days, tenant_id=tenant_id, since=since))


def _rows(tenant_id: UUID, page: Any) -> Rows:
    return [dict(row) for row in bridge().in_tenant(tenant_id, partial(page, tenant_id=tenant_id, **_FIRST_PAGE))]


def _words(row: Mapping[str, Any], cipher: TenantCipher) -> str:
    try:
        return cipher.decrypt(row["content"], row_id=row["interaction_id"]) if row["content"] else ""
    except Unreadable:
        return ""
