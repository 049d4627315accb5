"""How well, and how fast, customers' messages are read: intents, hand-off wishes and languages.

`development` are the rows that the patterns were written with. The others are known by their scores alone, nothing is
changed for a single one of them: see tests/rules/samples/README.md.
"""

import time
from collections.abc import Callable
from typing import Any

from benchmarks import report
from mychatflow.rules import answer_quality, intents, language
from mychatflow.rules.lexicon import KINDS
from tests.rules import scoring, talk

_SETS = (
    ("development", "intents_labelled.jsonl"),
    ("held out", "intents_held_out.jsonl"),
    ("unseen", "intents_unseen.jsonl"),
    ("strangers", "intents_strangers.jsonl"),
    ("everyday", "intents_everyday.jsonl"),
)
_ROUNDS = 5
_CONVERSATIONS = 400
_SHORT = 30


def microseconds(read: Callable[[str], Any], texts: list[str], *, forget: Callable[[], None] = lambda: None) -> float:
    """CPU time of one message in the quietest of some rounds; `forget` makes each of them the first."""
    best = float("inf")
    for _ in range(_ROUNDS):
        forget()
        began = time.process_time()
        for text in texts:
            read(text)
        best = min(best, time.process_time() - began)
    return best / len(texts) * 1_000_000


def intents_of(label: str, *files: str) -> dict[str, report.Value]:
    rows = [row for file in files for row in scoring.rows(file)]
    agreement = scoring.agreement(rows)
    hard = sum(each["hard_negative"] for each in rows)
    alarms = scoring.false_alarms(rows)
    least, most = answer_quality.wilson(alarms / hard, hard)
    row: dict[str, report.Value] = {"rows": label, "messages": len(rows)}
    row |= {f"{kind} F1": agreement[kind].f1 for kind in KINDS}
    row |= {f"{kind} precision": agreement[kind].precision for kind in ("urgent", "handoff")}
    return row | {
        "hard negatives": hard,
        "false alarms": alarms,
        "false alarms %": alarms / hard * 100,
        "95 % interval": f"{least * 100:.1f} to {most * 100:.1f}",
        "us a message": microseconds(intents.extract, [each["text"] for each in rows]),
    }


def _detected(text: str) -> language.Detection:
    return language.detect(text, supported=talk.WORLD)


def languages() -> dict[str, report.Value]:
    rows = talk.rows()
    conversations = talk.converse(rows, count=_CONVERSATIONS, seed=7)
    # Each but once: the second time it would be known.
    texts = list({row["text"].casefold(): row["text"] for row in rows}.values())
    return {
        "rows": "unseen",
        "messages": len(rows),
        "languages": len(talk.WORLD),
        "recognised %": talk.detected(rows) / len(rows) * 100,
        "conversations": _CONVERSATIONS,
        "wrong turns %": conversations.wrong_turns / conversations.turns * 100,
        "lag after a change": conversations.lag,
        "us a new message": microseconds(_detected, texts, forget=language.forget),
        "us one heard before": microseconds(_detected, [text for text in texts if len(text) <= _SHORT]),
    }


def main() -> None:
    unseen = [file for _, file in _SETS[1:]]
    report.show("intents", [*(intents_of(*each) for each in _SETS), intents_of("all but development", *unseen)])
    report.show("languages", [languages()])


if __name__ == "__main__":
    main()
