"""Follow-up sequences as people write them: named, switched on or off, with steps that keep their versions."""

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

FIELDS: Final = ("name", "trigger", "is_active", "quiet_from", "quiet_until", "holdout_share")
_COLUMNS: Final = f"id, {', '.join(FIELDS)}, version, created_at, updated_at"
_STEPS: Final = """
    coalesce((
        select jsonb_agg(
            jsonb_build_object(
                'step', steps.step, 'delay_minutes', steps.delay_minutes, 'template', steps.template,
                'condition', steps.condition
            ) order by steps.step
        )
        from follow_up_steps as steps
        where steps.tenant_id = follow_up_sequences.tenant_id
            and steps.sequence_id = follow_up_sequences.id
            and steps.version = follow_up_sequences.version
    ), '[]') as steps
"""
_PAGE = text(
    f"""
    select {_COLUMNS}, {_STEPS} from follow_up_sequences
    where tenant_id = :tenant_id
        and (
            cast(:before_at as timestamptz) is null
            or (created_at, id) < (cast(:before_at as timestamptz), cast(:before_id as uuid))
        )
    order by created_at desc, id desc limit :limit
    """  # noqa: S608 - constant columns
)
_ONE = text(f"select {_COLUMNS}, {_STEPS} from follow_up_sequences where tenant_id = :tenant_id and id = :id")  # noqa: S608
_VERSIONS = text(
    """
    select version, step, delay_minutes, template, condition from follow_up_steps
    where tenant_id = :tenant_id and sequence_id = :id order by version desc, step
    """
)
_NEW_VERSION = text(
    """
    update follow_up_sequences set version = version + 1, updated_at = now()
    where tenant_id = :tenant_id and id = :id returning version
    """
)
_WRITE_STEPS = text(
    """
    insert into follow_up_steps (tenant_id, sequence_id, version, step, delay_minutes, template, condition)
    select
        cast(:tenant_id as uuid), cast(:id as uuid), cast(:version as integer), given.step, given.delay_minutes,
        given.template, given.condition
    from jsonb_to_recordset(cast(:steps as jsonb))
        as given (step integer, delay_minutes integer, template text, condition jsonb)
    """
)
# What ran stays on record: a sequence with a past is switched off instead.
_DELETE = text(
    """
    delete from follow_up_sequences
    where tenant_id = :tenant_id and id = :id and not exists (
        select 1 from follow_up_runs
        where follow_up_runs.tenant_id = follow_up_sequences.tenant_id
            and follow_up_runs.sequence_id = follow_up_sequences.id
    )
    """
)


async def page(transaction: AsyncConnection, tenant_id: UUID, **window: Any) -> list[Mapping[str, Any]]:
    """Newest first, each with the steps of its present version; `window` is before_at, before_id and limit."""
    return [dict(row) for row in (await transaction.execute(_PAGE, {"tenant_id": tenant_id, **window})).mappings()]


async def by_id(transaction: AsyncConnection, tenant_id: UUID, sequence_id: UUID) -> Mapping[str, Any] | None:
    row = (await transaction.execute(_ONE, {"tenant_id": tenant_id, "id": sequence_id})).mappings().one_or_none()
    return None if row is None else dict(row)


async def versions(transaction: AsyncConnection, tenant_id: UUID, sequence_id: UUID) -> list[Mapping[str, Any]]:
    """Every step there ever was, the present version's first."""
    found = await transaction.execute(_VERSIONS, {"tenant_id": tenant_id, "id": sequence_id})
    return [dict(row) for row in found.mappings()]


async def create(
    transaction: AsyncConnection, tenant_id: UUID, values: Mapping[str, Any], steps: Sequence[Mapping[str, Any]]
) -> Mapping[str, Any]:
    """`values` are some of FIELDS; each step has delay_minutes, template and condition."""
    given = {name: values[name] for name in FIELDS if name in values}
    names, marks = "".join(f", {name}" for name in given), "".join(f", :{name}" for name in given)
    statement = text(
        f"insert into follow_up_sequences (tenant_id{names}) values (:tenant_id{marks}) returning id"  # noqa: S608
    )
    sequence_id = (await transaction.execute(statement, {"tenant_id": tenant_id} | given)).scalar_one()
    await _write(transaction, tenant_id, sequence_id, 1, steps)
    made = await by_id(transaction, tenant_id, sequence_id)
    return made or {}


async def change(
    transaction: AsyncConnection,
    tenant_id: UUID,
    sequence_id: UUID,
    values: Mapping[str, Any],
    steps: Sequence[Mapping[str, Any]] | None,
) -> Mapping[str, Any] | None:
    """New steps are a new version; None leaves them."""
    key = {"tenant_id": tenant_id, "id": sequence_id}
    given = {name: values[name] for name in FIELDS if name in values}
    if given:
        parts = ", ".join(f"{name} = :{name}" for name in given)
        statement = text(
            f"update follow_up_sequences set {parts}, updated_at = now()"  # noqa: S608
            " where tenant_id = :tenant_id and id = :id"
        )
        await transaction.execute(statement, key | given)
    if steps is not None:
        version = (await transaction.execute(_NEW_VERSION, key)).scalar_one_or_none()
        if version is None:
            return None
        await _write(transaction, tenant_id, sequence_id, version, steps)
    return await by_id(transaction, tenant_id, sequence_id)


async def delete(transaction: AsyncConnection, tenant_id: UUID, sequence_id: UUID) -> bool:
    """False for one that ran."""
    return (await transaction.execute(_DELETE, {"tenant_id": tenant_id, "id": sequence_id})).rowcount > 0


async def _write(
    transaction: AsyncConnection, tenant_id: UUID, sequence_id: UUID, version: int, steps: Sequence[Mapping[str, Any]]
) -> None:
    numbered = [{**step, "step": number} for number, step in enumerate(steps, 1)]
    values = {"tenant_id": tenant_id, "id": sequence_id, "version": version, "steps": json.dumps(numbered)}
    await transaction.execute(_WRITE_STEPS, values)
