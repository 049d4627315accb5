"""How often real models' answers, after our checks, are right: with n and a 95 % Wilson interval, or "not measured".

Without a key nothing is measured. `--live` asks the models that have one (each case three times) and records their
answers; without it only what is recorded is judged, and a question that was never recorded ends the run.
"""

import argparse
import asyncio
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID, uuid4

import yaml

from benchmarks import report
from benchmarks.recorded import NotRecorded, Recorded
from mychatflow.rules import answer_quality, normalisation
from mychatflow.rules.guard import Evidence, GuardReason
from mychatflow.settings import Settings
from realtime.agent import prompt
from realtime.agent.drafting import Brief, Decision, Draft, Drafter
from realtime.agent.knowledge import Knowledge
from realtime.agent.ledger import Ledger
from realtime.agent.tenants import Switches
from realtime.llm import presets
from realtime.llm.contract import Passage, ReplyRequest, Target, Turn
from realtime.llm.router import Router

_FILE = Path(__file__).with_name("answers.yaml")
_RECORDED = Path(__file__).with_name("answers_recorded.jsonl")
_TAKES = 3
LANGUAGES = ("en", "es", "fr", "de", "it", "pt")
# The same in every run, so that a recorded answer is found again.
_NOON = datetime(2026, 11, 25, 12, 0, tzinfo=UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    ask: str
    language: str
    action: str
    gold: tuple[tuple[str, ...], ...] = ()
    lacks: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """`is_right`: right, or rightly left to a person or asked back."""

    is_right: bool
    is_escalated: bool
    why: str


def read() -> tuple[tuple[Passage, ...], list[Case]]:
    document = yaml.safe_load(_FILE.read_text(encoding="utf-8"))
    known = tuple(
        Passage(id=str(UUID(int=number)), language="en", **entry)
        for number, entry in enumerate(document["business"], start=1)
    )
    cases = [
        Case(
            ask=ask,
            language=language,
            action=group["action"],
            gold=tuple(map(tuple, group.get("gold", ()))),
            lacks=tuple(group.get("lacks", ())),
        )
        for group in document["groups"]
        for language, asks in group["asks"].items()
        for ask in asks
    ]
    return known, cases


def brief(case: Case, known: tuple[Passage, ...], target: Target) -> Brief:
    switches = Switches(business_name="Barberia Callao", default_language="en", supported_languages=list(LANGUAGES))
    knowledge = Knowledge(stable=known, found=())
    beside = prompt.context(
        knowledge, at=_NOON, timezone="Europe/Madrid", language=case.language, name=None, has_knowledge=True
    )
    request = ReplyRequest(
        tenant_id=uuid4(),
        turn_id=uuid4(),
        system=prompt.system(switches, knowledge, mark="a mark of the benchmark"),
        messages=(Turn(role="user", text=beside), prompt.customer(case.ask)),
        targets=(target,),
        hedging=False,
        attempt_timeout=30,
        total_timeout=60,
    )
    passages = "\n".join(f"{passage.title} {passage.body}" for passage in known)
    evidence = Evidence(
        texts=(passages, prompt.profile(switches), beside, case.ask),
        instructions=prompt.rules(can_book=False),
        source_ids=frozenset(passage.id for passage in known),
    )
    return Brief(request=request, evidence=evidence, language=case.language, supported=LANGUAGES)


def judge(case: Case, draft: Draft) -> Judged:
    """By what can be looked up alone: no model judges another here."""
    said = normalisation.fold(draft.text)
    is_escalated = draft.decision is not Decision.REPLY or draft.why in {"clarify", "handoff"}
    has_gold = all(any(normalisation.fold(form) in said for form in forms) for forms in case.gold)
    is_clean = not any(normalisation.fold(word) in said for word in case.lacks)
    if case.action == "answer":
        return Judged(is_right=has_gold and is_clean and not is_escalated, is_escalated=is_escalated, why=draft.why)
    is_right = is_clean and (is_escalated or case.action == "any")
    return Judged(is_right=is_right, is_escalated=is_escalated, why=draft.why)


async def measure(
    router: Router, target: Target, file: Path, *, is_live: bool, takes: int = _TAKES, most: int | None = None
) -> list[Judged]:
    """Every case, or the first so many, each so many times. Raises NotRecorded."""
    known, cases = read()
    recorded = Recorded(file, live=router.providers[target.provider] if is_live else None)
    router.providers[target.provider] = recorded
    judged = []
    for take in range(takes):
        recorded.take = take
        judged += [
            judge(case, await Drafter(router).write(brief(case, known, target), Ledger())) for case in cases[:most]
        ]
    return judged


def row(target: Target, judged: Sequence[Judged], *, takes: int = _TAKES) -> dict[str, report.Value]:
    right = sum(each.is_right for each in judged)
    # One question asked three times is no three questions: the interval is as wide as its cases make it.
    cases = len(judged) // takes
    low, high = answer_quality.wilson(right / len(judged), cases)
    return {
        "model": target.name,
        "prompt": prompt.VERSION,
        "cases": cases,
        "answers": len(judged),
        "right %": 100 * right / len(judged),
        "at least %": 100 * low,
        "at most %": 100 * high,
        "escalated %": 100 * sum(each.is_escalated for each in judged) / len(judged),
        "refused for a number %": 100 * sum(each.why == GuardReason.UNKNOWN_NUMBER for each in judged) / len(judged),
        "refused for language %": 100 * sum(each.why == GuardReason.WRONG_LANGUAGE for each in judged) / len(judged),
    }


async def run(settings: Settings, *, is_live: bool, preset: str) -> list[dict[str, report.Value]]:
    router = Router.from_settings(settings)
    found = presets.targets(preset, primary=None, fallback=None, available=router.available)
    try:
        return [
            row(target, await measure(router, target, _RECORDED, is_live=is_live))
            for target in found
            if target != presets.SANDBOX_TARGET
        ]
    finally:
        await router.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--live", action="store_true", help="ask real models and record what they say; costs money")
    parser.add_argument("--at-least", type=float, metavar="PERCENT", help="exit 1 unless the interval is above it")
    parser.add_argument("--preset", default="fast", choices=("fast", "quality"))
    chosen = parser.parse_args()
    try:
        rows = asyncio.run(run(Settings(), is_live=chosen.live, preset=chosen.preset)) if _has_something(chosen) else []
    except NotRecorded as missing:
        sys.exit(f"error: {missing}")
    if not rows:
        sys.stderr.write("answers of real models: not measured (no provider key, and nothing recorded)\n")
    report.show("answers", rows or [{"model": "none", "right %": None, "cases": 0, "answers": 0}])
    if chosen.at_least is not None and not _reached(rows, chosen.at_least):
        sys.exit(f"error: not shown to be right at least {chosen.at_least} % of the time")


def _reached(rows: Sequence[Mapping[str, report.Value]], percent: float) -> bool:
    """Only a lower bound shows it; nothing measured shows nothing."""
    return bool(rows) and all(float(each["at least %"] or 0) >= percent for each in rows)


def _has_something(chosen: argparse.Namespace) -> bool:
    return bool(chosen.live) or _RECORDED.exists()


if __name__ == "__main__":
    main()
