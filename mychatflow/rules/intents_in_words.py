"""Why a message was read as it was, told to somebody who has never seen a pattern."""

from collections.abc import Iterator, Mapping
from typing import Final

from mychatflow.rules import intents
from mychatflow.rules.intents import Considered, Guard
from mychatflow.rules.lexicon import Kind

_WANTS: Final[Mapping[Kind, str]] = {
    "price_inquiry": "asks for a price",
    "availability_check": "asks whether something is there or open",
    "scheduling_request": "wants to book, come or move an appointment",
    "urgent": "needs it now",
    "question": "is a question",
    "handoff": "asks for a person",
}
_TAKEN_BACK: Final[Mapping[Guard, str]] = {
    Guard.NOT_AT_HEAD: 'not counted: it would have to begin the sentence, but behind "{words}" it means something else',
    Guard.VETOED: 'not counted: "{words}" in the same part of the sentence says otherwise',
    Guard.NOT_ASKED: "not counted: the word alone is no wish, it needs a question or a request around it",
    Guard.NEGATED: 'not counted: "{words}" takes it back',
}
_LONGEST_RULE: Final = 80


def told(text: str) -> tuple[str, ...]:
    """The verdict first, then the words that decided, with what took them back where something did."""
    considered = intents.explain(text)
    wants = list(dict.fromkeys(_WANTS[each.hit.kind] for each in considered if each.guard is None))
    verdict = f"The message {_joined(wants)}." if wants else "The message asks for nothing that we know."
    return (verdict, *_reasons(text, considered))


def _reasons(text: str, considered: tuple[Considered, ...]) -> Iterator[str]:
    """Languages share words: each is told once, with the first rule that has it. What counts needs no failed twin."""
    counted = {each.hit.kind for each in considered if each.guard is None}
    told_already = set()
    for each in considered:
        hit = each.hit
        words = text[hit.start : hit.end]
        if (hit.kind, words) in told_already or (each.guard is not None and hit.kind in counted):
            continue
        told_already.add((hit.kind, words))
        if each.guard is None:
            yield f'  + "{words}": the message {_WANTS[hit.kind]}'
        else:
            yield f'  - "{words}" could have meant: the message {_WANTS[hit.kind]}'
            yield f"      {_TAKEN_BACK[each.guard].format(words=each.guard_words)}"
        yield f"      rule {_shortened(hit.rule_id)}"


def _shortened(rule_id: str) -> str:
    return rule_id if len(rule_id) <= _LONGEST_RULE else f"{rule_id[:_LONGEST_RULE]}…"


def _joined(wants: list[str]) -> str:
    return wants[0] if len(wants) == 1 else f"{', '.join(wants[:-1])} and {wants[-1]}"
