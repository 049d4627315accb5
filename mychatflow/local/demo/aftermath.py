"""What others made of the conversations: programs were told of facts, answers were graded and chats read."""

import random
from datetime import timedelta
from typing import Any, Final

from mychatflow.events import EventType
from mychatflow.local.demo.business import Business
from mychatflow.local.demo.chat import Stage
from mychatflow.local.demo.rows import Rows, array
from mychatflow.rules.answer_quality import Reason, Verdict

_TOLD: Final = (EventType.APPOINTMENT_BOOKED, EventType.HANDOFF_TRIGGERED)
_KEPT: Final = 40
_GRADED: Final = 120
_UNREAD: Final = timedelta(hours=3)
# How a colleague judges, and why: weight of each.
_VERDICTS: Final[dict[tuple[Verdict, Reason | None], int]] = {
    (Verdict.GOOD, None): 88,
    (Verdict.BAD, Reason.WRONG_FACT): 3,
    (Verdict.BAD, Reason.MISSED_QUESTION): 5,
    (Verdict.ESCALATE, Reason.SHOULD_HAVE_HANDED_OFF): 4,
}


def tell(stage: Stage, *, chance: random.Random) -> None:
    """Two webhooks with their logs. Both rest, so that an installation with a demo calls nobody."""
    business, rows = stage.business, stage.rows
    heard = [row for row in rows.tables["analytics_events"] if row[0] == business.tenant_id and row[3] in _TOLD]
    newest = sorted(heard, key=lambda row: (row[2], row[1]))[-_KEPT:]
    _endpoint(stage, "crm", "Our customer list", reason="by_hand")
    _endpoint(stage, "old-site", "The website before this one", reason="gone")
    for row in newest:
        _delivery(business, rows, row, endpoint="crm", is_taken=True, chance=chance)
    for row in newest[: _KEPT // 8]:
        _delivery(business, rows, row, endpoint="old-site", is_taken=False, chance=chance)


def grade(stage: Stage, *, chance: random.Random) -> None:
    """Some of the agent's answers of the last four weeks, judged by a colleague a day later."""
    business, rows = stage.business, stage.rows
    since, until = stage.until - timedelta(days=28), stage.until - timedelta(days=1)
    answers = [
        row
        for row in rows.tables["interactions"]
        if row[0] == business.tenant_id and row[9] == "agent" and since <= row[2] < until
    ]
    member = business.id_of("member:agent-1")
    for row in chance.sample(answers, min(_GRADED, len(answers))):
        verdict, reason = chance.choices(list(_VERDICTS), weights=list(_VERDICTS.values()))[0]
        rows.add(
            "answer_grades",
            *(business.tenant_id, business.id_of(f"grade:{row[1]}"), row[1], row[2], row[3], row[19], verdict),
            *(reason, member, row[2] + timedelta(hours=chance.uniform(1, 23))),
        )


def read(stage: Stage) -> None:
    """The owner of this machine has read all chats but those of the last hours: not everything is news at first."""
    rows, seen_at = stage.rows, stage.until - _UNREAD
    for row in rows.tables["contacts"]:
        if row[0] == stage.business.tenant_id:
            rows.add("read_markers", row[0], row[1], None, seen_at)


def _endpoint(stage: Stage, name: str, description: str, *, reason: str) -> None:
    business = stage.business
    endpoint_id = business.id_of(f"webhook:{name}")
    secret = stage.cipher.encrypt("whsec_ZGVtb25zdHJhdGlvbg==", row_id=endpoint_id)
    stage.rows.add(
        "webhook_endpoints",
        *(business.tenant_id, endpoint_id, f"https://{name}.{business.session}.example/hooks", description, secret),
        *(array(_TOLD), False, reason, stage.until - timedelta(days=90)),
    )


def _delivery(
    business: Business, rows: Rows, event: tuple[Any, ...], *, endpoint: str, is_taken: bool, chance: random.Random
) -> None:
    tried_at = event[2] + timedelta(seconds=chance.uniform(0.2, 0.9))
    attempts = chance.choices((1, 2), weights=(95, 5))[0] if is_taken else 1
    tried_at += timedelta(minutes=attempts - 1)
    rows.add(
        "webhook_deliveries",
        *(business.tenant_id, business.id_of(f"delivery:{endpoint}:{event[1]}"), business.id_of(f"webhook:{endpoint}")),
        *(event[1], "delivered" if is_taken else "failed", attempts, tried_at, 200 if is_taken else 410),
        *(tried_at if is_taken else None, event[3], event[2], event[2], tried_at, int(chance.lognormvariate(4.6, 0.5))),
    )
