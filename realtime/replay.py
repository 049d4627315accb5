"""Stored answers are held against today's rules and knowledge, or asked again of other models; nothing is sent.

This is `mychatflow evaluate replay`. It says how many of them would pass, with a 95 % interval, and why the others
would not; whether an answer was right, only people who grade it can say.
"""

import argparse
import asyncio
import json
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final
from uuid import UUID, uuid4

import psycopg
import sqlalchemy.exc
from sqlalchemy import text

from mychatflow import settings as configuration
from mychatflow.rules import answer_quality, guard
from mychatflow.rules.guard import Evidence
from mychatflow.settings import ConfigurationRefused, Settings
from mychatflow.store.cipher import KeyRing, Unreadable
from mychatflow.store.session import Store
from realtime.agent import knowledge, prompt
from realtime.agent.drafting import Brief, Decision, Drafter
from realtime.agent.ledger import Ledger
from realtime.agent.tenants import Tenant, TenantBook
from realtime.engine.pool import engine_pool
from realtime.llm import presets
from realtime.llm.contract import AllProvidersUnavailable, ReplyRequest, Target, Turn
from realtime.llm.router import Router

OK, FAILED, USAGE, DOWN, REFUSED = 0, 1, 2, 3, 78
_REMEMBERED: Final = 20
_ANSWERS = text(
    """
    select id, contact_id, occurred_at, content, language from interactions
    where tenant_id = :tenant_id and author = 'agent' and llm_provider is not null and content is not null
    order by occurred_at desc, id limit :limit
    """
)
_BEFORE = text(
    """
    select id, direction, content from interactions
    where tenant_id = :tenant_id and contact_id = :contact_id and occurred_at < :at and content is not null
    order by occurred_at desc limit :limit
    """
)
_HAS_BOOKED = text(
    "select exists (select 1 from appointments where tenant_id = :tenant_id and contact_id = :contact_id)"
)
Row = Mapping[str, Any]


@dataclass(slots=True, kw_only=True)
class Outcome:
    """What became of the stored answers."""

    turns: int = 0
    passing: int = 0
    refused: Counter[str] = field(default_factory=Counter)
    unreadable: int = 0
    cost_micro_usd: int = 0

    def written(self) -> dict[str, Any]:
        """`pass_rate` is None while there is nothing to measure."""
        rate = self.passing / self.turns if self.turns else None
        low, high = answer_quality.wilson(rate, self.turns) if rate is not None else (None, None)
        return {
            "turns": self.turns,
            "passing": self.passing,
            "pass_rate": rate,
            "at_least": low,
            "at_most": high,
            "refused": dict(self.refused.most_common()),
            "unreadable": self.unreadable,
            "cost_micro_usd": self.cost_micro_usd,
        }


async def replay(settings: Settings, tenant_id: UUID, *, limit: int, preset: str | None = None) -> Outcome | None:
    """None where no model of the preset can be asked. Raises LookupError for a tenant that is not there."""
    store, pool = Store(settings), engine_pool(settings, name="replay", size=1)
    router = Router.from_settings(settings) if preset else None
    try:
        await pool.open()
        targets = _targets(router, preset) if router and preset else ()
        if preset and not targets:
            return None
        async with store.tenant_transaction(tenant_id) as transaction:
            known = await transaction.execute(text("select 1 from tenants where id = :id"), {"id": tenant_id})
            if known.one_or_none() is None:
                raise LookupError(f"no tenant is called {tenant_id}")
        stored, outcome = await _stored(store, tenant_id, limit=limit), Outcome()
        if not stored:
            return outcome
        tenant = await TenantBook(pool, KeyRing(*settings.masters)).get(tenant_id, version="replay")
        for answer, before, has_booked in stored:
            await _judge(outcome, tenant, answer, before, has_booked, router=router, targets=targets)
        return outcome
    finally:
        if router is not None:
            await router.close()
        await pool.close()
        await store.close()


def _targets(router: Router, preset: str) -> tuple[Target, ...]:
    found = presets.targets(preset, primary=None, fallback=None, available=router.available)
    return tuple(target for target in found if target != presets.SANDBOX_TARGET)


async def _stored(store: Store, tenant_id: UUID, *, limit: int) -> list[tuple[Row, list[Row], bool]]:
    """The latest answers, each with what was said before it, oldest first, and whether anything was booked."""
    async with store.tenant_transaction(tenant_id) as transaction:
        answers = (await transaction.execute(_ANSWERS, {"tenant_id": tenant_id, "limit": limit})).mappings().all()
        found: list[tuple[Row, list[Row], bool]] = []
        for answer in answers:
            whose = {"tenant_id": tenant_id, "contact_id": answer["contact_id"]}
            before = await transaction.execute(_BEFORE, whose | {"at": answer["occurred_at"], "limit": _REMEMBERED})
            booked = bool((await transaction.execute(_HAS_BOOKED, whose)).scalar_one())
            earlier: list[Row] = [dict(row) for row in before.mappings()]
            found.append((dict(answer), earlier[::-1], booked))
    return found


async def _judge(
    outcome: Outcome,
    tenant: Tenant,
    answer: Row,
    before: Sequence[Row],
    has_booked: bool,
    *,
    router: Router | None,
    targets: tuple[Target, ...],
) -> None:
    try:
        said = tenant.cipher.decrypt(answer["content"], row_id=answer["id"])
        turns = _turns(tenant, before)
    except Unreadable:
        outcome.unreadable += 1
        return
    brief = _brief(tenant, answer, turns, has_booked, targets)
    outcome.turns += 1
    if router is None:
        verdict = guard.check(said, evidence=brief.evidence, language=brief.language, supported=brief.supported)
        passes, why = verdict.ok, str(verdict.reason)
    else:
        passes, why = await _asked_again(router, brief, outcome)
    outcome.passing += passes
    outcome.refused.update([] if passes else [why])


async def _asked_again(router: Router, brief: Brief, outcome: Outcome) -> tuple[bool, str]:
    """What another model says now; a hand-over or a question of ours does not pass."""
    ledger = Ledger()
    try:
        draft = await Drafter(router).write(brief, ledger)
        passes, why = draft.decision is Decision.REPLY, draft.why
    except AllProvidersUnavailable:
        passes, why = False, "no model answers"
    outcome.cost_micro_usd += sum(attempt.cost_micro_usd for attempt in ledger.attempts)
    return passes, why


def _turns(tenant: Tenant, before: Sequence[Row]) -> list[Turn]:
    turns = []
    for row in before:
        said = tenant.cipher.decrypt(row["content"], row_id=row["id"])
        is_customer = row["direction"] == "incoming"
        turns.append(Turn(role="user" if is_customer else "assistant", text=said))
    return turns


def _brief(tenant: Tenant, answer: Row, turns: Sequence[Turn], has_booked: bool, targets: tuple[Target, ...]) -> Brief:
    """As it would be put together for this conversation today."""
    language = answer["language"] or tenant.switches.default_language
    question = next((turn.text for turn in reversed(turns) if turn.role == "user"), "")
    known = knowledge.for_question(tenant, question)
    beside = prompt.context(
        known,
        at=answer["occurred_at"],
        timezone=tenant.activation.timezone,
        language=language,
        name=None,
        has_knowledge=bool(tenant.knowledge),
        opening=prompt.opening(tenant.activation, at=answer["occurred_at"]),
    )
    mark = tenant.cipher.mark("prompt")
    history = tuple(prompt.customer(turn.text) if turn.role == "user" else turn for turn in turns)
    passages = "\n".join(f"{passage.title} {passage.body}" for passage in tenant.knowledge)
    return Brief(
        request=ReplyRequest(
            tenant_id=tenant.tenant_id,
            turn_id=uuid4(),
            system=prompt.system(tenant.switches, known, mark=mark),
            messages=(*history[:-1], Turn(role="user", text=beside), *history[-1:]),
            targets=targets,
            attempt_timeout=30,
            total_timeout=60,
            hedging=False,
        ),
        evidence=Evidence(
            texts=(passages, prompt.profile(tenant.switches), beside, *(turn.text for turn in turns)),
            instructions=prompt.rules(can_book=False),
            canaries=(mark,),
            source_ids=frozenset(passage.id for passage in tenant.knowledge),
            banned=tuple(tenant.switches.banned_words),
            has_booking_receipt=has_booked,
        ),
        language=language,
        supported=tenant.supported_languages,
    )


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="mychatflow evaluate replay", description=__doc__)
    parser.add_argument("--tenant", type=UUID, required=True, metavar="ID")
    parser.add_argument("--limit", type=int, default=500, help="the latest so many answers (500)")
    parser.add_argument("--preset", choices=("fast", "quality"), help="ask its models again; costs money")
    parser.add_argument("--json", action="store_true", help="one JSON object")
    given = parser.parse_args(arguments)
    if given.limit < 1:
        parser.error(f"--limit {given.limit}: at least 1 answer is needed")
    try:
        outcome = asyncio.run(replay(configuration.load(), given.tenant, limit=given.limit, preset=given.preset))
    except ConfigurationRefused as refused:
        return _complain(str(refused), REFUSED)
    except (psycopg.OperationalError, sqlalchemy.exc.OperationalError) as error:
        return _complain(f"Postgres does not answer: {type(error).__name__}; next: mychatflow doctor", DOWN)
    except (LookupError, Unreadable) as missing:
        return _complain(f"{missing}; next: mychatflow tenant --help", FAILED)
    found = (outcome or Outcome()).written()
    sys.stdout.write(json.dumps(found) + "\n" if given.json else f"{_sentence(outcome)}\n")
    return OK


def _sentence(outcome: Outcome | None) -> str:
    if outcome is None:
        return "not measured: no model of the preset has a key"
    found = outcome.written()
    if found["pass_rate"] is None:
        return "not measured: no answer of a model is stored"
    why = ", ".join(f"{count} {reason}" for reason, count in found["refused"].items()) or "none refused"
    share = f"{100 * found['pass_rate']:.1f} % ({100 * found['at_least']:.1f} to {100 * found['at_most']:.1f})"
    return f"{found['passing']} of {found['turns']} answers pass: {share}; {why}"


def _complain(cause: str, code: int) -> int:
    sys.stderr.write(f"error: {cause}\n")
    return code


if __name__ == "__main__":
    sys.exit(main())
