"""Keeps what models cost within the day's money of a tenant and of a provider, however many call at once."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import Final, Self
from uuid import UUID

import psycopg
import structlog

from mychatflow.events import named_id
from realtime import metrics
from realtime.engine.pool import BROKEN_OFF, Pool
from realtime.llm import accounting
from realtime.llm.contract import ReplyRequest, Target
from realtime.llm.faults import Usage

MICRO: Final = 1_000_000
_TENANT: Final = "tenant:"
# What the vendors take for a large picture, at most.
_PICTURE_TOKENS: Final = 2_000
# In the order of their names, so that two callers never wait for each other.
_RESERVE: Final = """
insert into llm_spending (subject, spent_on, allowed_micro_usd, reserved_micro_usd)
select asked.subject, %(day)s, asked.allowed, %(amount)s
from unnest(%(subjects)s::text[], %(allowed)s::bigint[]) as asked (subject, allowed)
where %(amount)s <= asked.allowed
order by asked.subject
on conflict (subject, spent_on) do update set
    allowed_micro_usd = excluded.allowed_micro_usd,
    reserved_micro_usd = llm_spending.reserved_micro_usd + excluded.reserved_micro_usd
where
    llm_spending.spent_micro_usd + llm_spending.reserved_micro_usd + excluded.reserved_micro_usd
    <= excluded.allowed_micro_usd
returning llm_spending.subject
"""
_SETTLE: Final = """
update llm_spending set
    reserved_micro_usd = reserved_micro_usd - %(amount)s,
    spent_micro_usd = spent_micro_usd + %(cost)s
where (subject, spent_on) in (
    select locked.subject, locked.spent_on from llm_spending as locked
    where locked.subject = any(%(subjects)s) and locked.spent_on = %(day)s
    order by locked.subject
    for update
)
returning subject, spent_micro_usd, allowed_micro_usd
"""
# Its id names the day and what it says: told once, however many calls see it.
_TELL: Final = """
insert into notifications (tenant_id, id, kind, title, detail, is_urgent)
values (%(tenant_id)s, %(id)s, 'llm_budget', %(title)s, %(detail)s::jsonb, true)
on conflict do nothing
"""
_NEAR: Final = 80
_TITLES: Final = {
    _NEAR: "Four fifths of today's money for AI models are spent",
    100: "Today's money for AI models is used up: customers wait until midnight UTC",
}
log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Purse:
    """Whose money a call costs, and how much of it a day; None is no limit."""

    tenant_id: UUID
    daily_budget_micro_usd: int | None

    @classmethod
    def of_dollars(cls, tenant_id: UUID, usd: float | None) -> Self:
        return cls(tenant_id=tenant_id, daily_budget_micro_usd=None if usd is None else round(usd * MICRO))

    @property
    def subject(self) -> str:
        return f"{_TENANT}{self.tenant_id}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Hold:
    """Money set aside for one call. Never settled, it counts as spent: whoever held it may have been billed."""

    subjects: tuple[str, ...]
    day: date
    amount: int


@dataclass(slots=True, kw_only=True)
class Budgets:
    """`providers` is the installation's own budget a day; a tenant's comes with its request. In millionths."""

    pool: Pool | None = None
    providers: Mapping[str, int] = field(default_factory=dict)

    async def reserve(self, request: ReplyRequest, target: Target) -> Hold | None:
        """The most that this call may cost, or None where that is more than is left.

        Raises psycopg's errors: while Postgres is away, no turn can be ended either.
        """
        purse = Purse(tenant_id=request.tenant_id, daily_budget_micro_usd=request.daily_budget_micro_usd)
        # A tenant's own key costs the tenant, not the house.
        house = target.provider if target.key_id is None else None
        return await self.set_aside(purse, provider=house, amount=_most(request, target))

    async def set_aside(self, purse: Purse, *, provider: str | None, amount: int) -> Hold | None:
        """As `reserve`, for a call of any kind; `provider` is whose key of the house it is made with."""
        allowed = self._allowed(purse, provider)
        hold = Hold(subjects=tuple(allowed), day=datetime.now(UTC).date(), amount=amount)
        if not allowed or self.pool is None:
            return Hold(subjects=(), day=hold.day, amount=0)
        values = {"subjects": list(allowed), "allowed": list(allowed.values()), "day": hold.day, "amount": hold.amount}
        async with self.pool.connection() as connection:
            async with connection.transaction():
                taken = {row[0] for row in await (await connection.execute(_RESERVE, values)).fetchall()}
                if len(taken) < len(allowed):
                    # All or nothing: what one of the two had room for is given back.
                    raise psycopg.Rollback
            if len(taken) == len(allowed):
                return hold
            await self._refused(connection, purse, allowed.keys() - taken, hold.day)
        return None

    async def settle(self, holds: Sequence[tuple[Hold, int]]) -> None:
        """Put each call's real cost in the place of its reservation; a call that cost nothing gives all of it back."""
        if self.pool is None or not any(hold.subjects for hold, _ in holds):
            return
        try:
            async with self.pool.connection() as connection:
                for hold, cost in holds:
                    if not hold.subjects:
                        continue
                    values = {"subjects": list(hold.subjects), "day": hold.day, "amount": hold.amount, "cost": cost}
                    settled = await connection.execute(_SETTLE, values)
                    for subject, spent, allowed in await settled.fetchall():
                        # A budget of nothing was refused from the start.
                        if subject.startswith(_TENANT) and 0 < allowed * _NEAR <= spent * 100:
                            await _tell(connection, UUID(subject.removeprefix(_TENANT)), _NEAR, hold.day)
        except BROKEN_OFF as error:
            log.warning("model budget not settled", cause=type(error).__name__)

    def _allowed(self, purse: Purse, provider: str | None) -> dict[str, int]:
        """Subject → millionths a day."""
        allowed = {}
        if purse.daily_budget_micro_usd is not None:
            allowed[purse.subject] = purse.daily_budget_micro_usd
        if provider is not None and provider in self.providers:
            allowed[f"provider:{provider}"] = self.providers[provider]
        return allowed

    async def _refused(
        self,
        connection: psycopg.AsyncConnection[tuple[object, ...]],
        purse: Purse,
        full: set[str],
        day: date,
    ) -> None:
        """The tenant's people hear of it once a day, the operators from the log and the metric."""
        for subject in full:
            kind = subject.partition(":")[0]
            metrics.budget_refusals.labels(kind).inc()
            log.warning("model budget used up", subject=subject)
        if purse.subject in full:
            await _tell(connection, purse.tenant_id, 100, day)


async def _tell(
    connection: psycopg.AsyncConnection[tuple[object, ...]], tenant_id: UUID, percent: int, day: date
) -> None:
    values = {
        "tenant_id": tenant_id,
        "id": named_id("notification", tenant_id, f"llm_budget:{percent}:{day}"),
        "title": _TITLES[percent],
        "detail": f'{{"reason": "llm_budget", "percent": {percent}}}',
    }
    await connection.execute(_TELL, values)


def _most(request: ReplyRequest, target: Target) -> int:
    """The dearest answer that was asked for, of a prompt that no cache holds yet."""
    pictures = sum(len(turn.pictures) for turn in request.messages)
    asked = accounting.prompt_tokens(request) + pictures * _PICTURE_TOKENS
    written = asked if target.provider == "anthropic" else 0
    usage = Usage(input_tokens=asked, written_tokens=written, output_tokens=request.max_tokens)
    return accounting.cost_of(usage, provider=target.provider, model=target.model, at=datetime.now(UTC)).micro_usd
