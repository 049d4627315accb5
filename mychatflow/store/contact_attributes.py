"""The attributes that a tenant defined for its contacts, and their values."""

import json
from collections.abc import Mapping
from typing import Any
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from mychatflow.rules import attributes
from mychatflow.rules.attributes import Definition, Value

MOST = 100
_ALL = text(
    """
    select key, label, type, choices, created_at from contact_attributes where tenant_id = :tenant_id order by key
    """
)
_DEFINE = text(
    """
    insert into contact_attributes (tenant_id, key, label, type, choices)
    values (:tenant_id, :key, :label, :type, :choices)
    on conflict (tenant_id, key) do nothing
    returning key, label, type, choices, created_at
    """
)
_FORGET = text("delete from contact_attributes where tenant_id = :tenant_id and key = :key")
_FORGET_VALUES = text(
    """
    update contacts set attributes = attributes - cast(:key as text)
    where tenant_id = :tenant_id and jsonb_exists(attributes, :key)
    """
)
# Of a sequence, the steps of its runs and of new ones; what finished or was cancelled asks for nothing any more.
_USES = text(
    """
    select 'campaigns' as kind, id, name from campaigns
    where tenant_id = :tenant_id
        and state in ('draft', 'scheduled', 'running', 'paused')
        and (template ~ :named or audience @> cast(:asked as jsonb))
    union all
    select 'segments', id, name from segments where tenant_id = :tenant_id and filter @> cast(:asked as jsonb)
    union all
    select 'follow_up_sequences', id, name from follow_up_sequences
    where tenant_id = :tenant_id and exists (
        select 1 from follow_up_steps as steps
        where steps.tenant_id = follow_up_sequences.tenant_id
            and steps.sequence_id = follow_up_sequences.id
            and (
                steps.version = follow_up_sequences.version
                or exists (
                    select 1 from follow_up_runs as runs
                    where runs.tenant_id = steps.tenant_id
                        and runs.sequence_id = steps.sequence_id
                        and runs.version = steps.version
                        and runs.state = 'running'
                )
            )
            and (steps.template ~ :named or steps.condition @> cast(:asked as jsonb))
    )
    order by kind, name, id
    """
)
_SET = text(
    """
    update contacts set
        attributes = jsonb_strip_nulls(attributes || cast(:given as jsonb)),
        updated_at = now()
    where tenant_id = :tenant_id and id = :contact_id
    """
)


async def all_of(transaction: AsyncConnection, tenant_id: UUID) -> list[Mapping[str, Any]]:
    return [dict(row) for row in (await transaction.execute(_ALL, {"tenant_id": tenant_id})).mappings()]


async def keys(transaction: AsyncConnection, tenant_id: UUID) -> frozenset[str]:
    return frozenset(row["key"] for row in await all_of(transaction, tenant_id))


async def definitions(transaction: AsyncConnection, tenant_id: UUID) -> dict[str, Definition]:
    return {
        row["key"]: Definition(key=row["key"], type=row["type"], choices=tuple(row["choices"]))
        for row in await all_of(transaction, tenant_id)
    }


async def define(
    transaction: AsyncConnection, tenant_id: UUID, definition: Definition, *, label: str
) -> Mapping[str, Any] | None:
    """None when the key is taken."""
    values = {
        "tenant_id": tenant_id,
        "key": definition.key,
        "label": label,
        "type": definition.type,
        "choices": list(definition.choices),
    }
    row = (await transaction.execute(_DEFINE, values)).mappings().one_or_none()
    return None if row is None else dict(row)


async def uses(transaction: AsyncConnection, tenant_id: UUID, key: str) -> dict[str, list[dict[str, str]]]:
    """The campaigns, segments and follow-up sequences that ask for it, by kind, each with id and name."""
    values = {
        "tenant_id": tenant_id,
        # As `rules.template` reads a variable.
        "named": rf"\{{\s*attributes\.{key}\s*[|}}]",
        "asked": json.dumps({"attributes": [{"key": key}]}),
    }
    found: dict[str, list[dict[str, str]]] = {}
    for row in await transaction.execute(_USES, values):
        found.setdefault(row.kind, []).append({"id": str(row.id), "name": row.name})
    return found


async def forget(transaction: AsyncConnection, tenant_id: UUID, key: str) -> bool:
    """The definition and every contact's value."""
    values = {"tenant_id": tenant_id, "key": key}
    if not (await transaction.execute(_FORGET, values)).rowcount:
        return False
    await transaction.execute(_FORGET_VALUES, values)
    return True


async def set_values(transaction: AsyncConnection, tenant_id: UUID, contact_id: UUID, given: Mapping[str, Any]) -> None:
    """None removes a value, what is absent stays. Raises InvalidAttribute."""
    fitting: Mapping[str, Value | None] = attributes.checked(await definitions(transaction, tenant_id), given)
    values = {"tenant_id": tenant_id, "contact_id": contact_id, "given": json.dumps(fitting)}
    await transaction.execute(_SET, values)
