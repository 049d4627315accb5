"""Whom a campaign would reach and whom it leaves out, with the reason: counted in one statement, and listed."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, time
from typing import Any, ClassVar, Literal, assert_never
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from mychatflow.rules import business_hours, holdout, template, wall_time
from mychatflow.rules.contact_filter import ContactFilter
from mychatflow.rules.template import InvalidTemplate, Template
from mychatflow.store import contact_attributes, contact_filters
from mychatflow.store.contact_filters import Condition

_BUSINESS = text(
    """
    select coalesce(settings.business_name, tenants.name) as name, coalesce(settings.timezone, 'UTC') as timezone
    from tenants left join settings on settings.tenant_id = tenants.id
    where tenants.id = :tenant_id
    """
)
Part = Literal["audience", "eligible", "held_out", "skipped", "missing"]


class ForgottenAttribute(InvalidTemplate):
    """The audience asks for an attribute that is no more: without it "is not" would reach everybody."""

    field: ClassVar = "audience"


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What decides over the audience, read once for each look at it."""

    campaign_id: UUID
    template: Template
    wanted: ContactFilter
    instance_id: UUID | None
    quiet_from: time | None
    quiet_until: time | None
    holdout_share: float
    business_name: str | None
    timezone: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Preview:
    """`eligible` get the message; `missing` counts, for each variable without a default, whom it would skip."""

    audience: int
    eligible: int
    held_out: int
    skipped: dict[str, int]
    missing: dict[str, int]


async def plan_of(transaction: AsyncConnection, tenant_id: UUID, row: Mapping[str, Any]) -> Plan:
    """Raises InvalidTemplate for a template, ForgottenAttribute for an audience, whose attribute was deleted since."""
    business = (await transaction.execute(_BUSINESS, {"tenant_id": tenant_id})).one()
    keys = await contact_attributes.keys(transaction, tenant_id)
    wanted = contact_filters.read(row["audience"])
    for condition in wanted.attributes:
        if condition.key not in keys:
            raise ForgottenAttribute(f"the audience asks for the attribute {condition.key!r}, which is no more")
    return Plan(
        campaign_id=row["id"],
        template=template.parse(row["template"], attributes=keys),
        wanted=wanted,
        instance_id=row["instance_id"],
        quiet_from=row["quiet_from"],
        quiet_until=row["quiet_until"],
        holdout_share=row["holdout_share"],
        business_name=business.name,
        timezone=business.timezone,
    )


async def preview(transaction: AsyncConnection, tenant_id: UUID, plan: Plan, *, at: datetime) -> Preview:
    """As it would be frozen at that moment, counted in one statement."""
    required = plan.template.required()
    missing = "".join(f", count(*) filter (where {_missed(n)})" for n in range(len(required)))
    asked = judged(plan, at=at)
    # Grouped, so that Postgres judges each contact once; with a filter for each number it would judge anew for each.
    statement = text(
        f"select reason, is_held_out, count(*){missing} from ({_people_of(plan, asked)}) as judged"  # noqa: S608 - constant parts
        " group by reason, is_held_out order by reason"
    )
    rows = (await transaction.execute(statement, asked.values | {"tenant_id": tenant_id})).all()
    skipped: dict[str, int] = {}
    for reason, _, count, *_ in rows:
        if reason is not None:
            skipped[reason] = skipped.get(reason, 0) + count
    return Preview(
        audience=sum(row[2] for row in rows),
        eligible=sum(row[2] for row in rows if row[0] is None and not row[1]),
        held_out=sum(row[2] for row in rows if row[0] is None and row[1]),
        skipped=skipped,
        missing={name: count for n, name in enumerate(required) if (count := sum(row[3 + n] for row in rows))},
    )


async def people(
    transaction: AsyncConnection,
    tenant_id: UUID,
    plan: Plan,
    *,
    part: Part,
    of: str | None = None,
    at: datetime,
    limit: int,
) -> list[dict[str, Any]]:
    """Whom one of the preview's numbers counts; `of` names the reason of the skipped, the variable of the missing."""
    asked = judged(plan, at=at)
    statement = text(
        f"""
        select contact_id, reason, is_held_out from ({_people_of(plan, asked)}) as judged
        where {_counted_by(plan, part, of)} order by contact_id limit :limit
        """  # noqa: S608 - constant parts
    )
    values = asked.values | {"tenant_id": tenant_id, "of": of, "limit": limit}
    return [dict(row) for row in (await transaction.execute(statement, values)).mappings()]


def _people_of(plan: Plan, asked: Condition) -> str:
    """Everybody of the audience, with the reason to leave them out and the variables that nobody knows of them."""
    required = plan.template.required()
    unknown = "".join(f", {_missing(name, n)} as m{n}" for n, name in enumerate(required))
    return f"""
        select
            contacts.id as contact_id, {reason_of(required)} as reason, {holdout.HELD_OUT_SQL} as is_held_out{unknown}
        from contacts where contacts.tenant_id = :tenant_id and {asked.sql}
    """  # noqa: S608 - constant parts


def _counted_by(plan: Plan, part: Part, of: str | None) -> str:
    """What the people of that number have in common."""
    match part:
        case "audience":
            return "true"
        case "eligible":
            return "reason is null and not is_held_out"
        case "held_out":
            return "reason is null and is_held_out"
        case "skipped":
            return "reason = :of"
        case "missing":
            return _missed(plan.template.required().index(of or ""))
        case _:
            assert_never(part)


def _missed(n: int) -> str:
    return f"reason = 'missing_variable' and m{n}"


def known_zone(*names: str | None) -> str:
    """The first that a clock can follow."""
    for name in names:
        try:
            if name:
                business_hours.zone(name)
                return name
        except business_hours.InvalidHours:
            continue
    return "UTC"


def judged(plan: Plan, *, at: datetime) -> Condition:
    """The audience's condition with the values that reasons and hold-out need."""
    chosen = contact_filters.condition(plan.wanted, at=at)
    required = plan.template.required()
    values = {
        "subject_id": plan.campaign_id,
        "holdout_share": plan.holdout_share,
        "day_start": wall_time.day_start(at, timezone=known_zone(plan.timezone)),
    }
    if "business_name" in required:
        values["business_name"] = plan.business_name
    for n, name in enumerate(required):
        if name.startswith(template.ATTRIBUTE):
            values[f"missing_{n}"] = name.removeprefix(template.ATTRIBUTE)
    return Condition(chosen.sql, chosen.values | values)


def reason_of(required: Sequence[str]) -> str:
    missing = " or ".join(_missing(name, n) for n, name in enumerate(required)) or "false"
    return f"""case
        when contacts.opted_out_at is not null then 'opted_out'
        when {contact_filters.HANDED_OFF} then 'handed_off'
        when contacts.last_outgoing_at >= cast(:day_start as timestamptz) then 'messaged_today'
        when {missing} then 'missing_variable'
    end"""


def _missing(name: str, n: int) -> str:
    match name:
        case "name" | "first_name":
            return "coalesce(btrim(contacts.name), '') = ''"
        case "phone":
            return "coalesce(contacts.phone, '') = ''"
        case "business_name":
            return "coalesce(cast(:business_name as text), '') = ''"
        case _:
            return f"coalesce(contacts.attributes ->> cast(:missing_{n} as text), '') = ''"
