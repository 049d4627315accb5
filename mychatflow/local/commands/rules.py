"""`mychatflow rules`: the live rules on JSON lines from stdin, one JSON object a line out."""

import json
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict
from datetime import datetime
from typing import Annotated, Any

import typer

from mychatflow.local import console
from mychatflow.local.console import Failure
from mychatflow.rules import intents as intent_rules
from mychatflow.rules import language as language_rules
from mychatflow.rules import lead_score
from mychatflow.rules.lead_score import ScoredMessage

app = typer.Typer(no_args_is_help=True)
_LANGUAGES = "en,es,pt,fr,de,it,id,tr,ru,ar,hi,ja,zh"


@app.callback()
def _group() -> None:
    """Run the live rules on JSON lines from stdin."""


@app.command()
def score() -> None:
    """Facts with `messages` and `as_of` in, every part of the score and the grade out."""
    _each_line(_score)


@app.command()
def intents() -> None:
    """`{"text"}` in; intents and hand-off with the rules and places that say so out."""
    _each_line(_intents)


@app.command()
def language(
    languages: Annotated[str, typer.Option(help="The languages to choose from, separated by commas.")] = _LANGUAGES,
) -> None:
    """`{"text"}` in; its language and how sure that is out."""
    supported = tuple(code.strip() for code in languages.split(",") if code.strip())

    def detect(given: Mapping[str, Any]) -> dict[str, Any]:
        found = language_rules.detect(str(given["text"]), supported=supported)
        return {"lang": found.language, "probability": round(found.probability, 4), "letters": found.letters}

    _each_line(detect)


def _each_line(answer: Callable[[Mapping[str, Any]], Mapping[str, Any]]) -> None:
    for number, given in _lines():
        try:
            found = answer(given)
        except (KeyError, TypeError, ValueError) as error:
            raise Failure(
                f"line {number}: {type(error).__name__}: {error}",
                next_step="mychatflow rules --help says what each command reads",
                exit_code=console.USAGE,
            ) from error
        # An `id` comes back, so that answers can be joined to questions.
        console.give_json(({"id": given["id"]} if "id" in given else {}) | dict(found))


def _lines() -> Iterator[tuple[int, Mapping[str, Any]]]:
    for number, line in enumerate(sys.stdin, start=1):
        if not line.strip():
            continue
        try:
            given = json.loads(line)
        except ValueError as error:
            raise Failure(f"line {number} is not JSON: {error}", exit_code=console.USAGE) from error
        if not isinstance(given, Mapping):
            raise Failure(f"line {number} is not a JSON object", exit_code=console.USAGE)
        yield number, given


def _score(given: Mapping[str, Any]) -> dict[str, Any]:
    as_of = _instant(given["as_of"])
    known_at = _instant(given["known_at"]) if given.get("known_at") else None
    messages = [_message(entry) for entry in given["messages"]]
    facts = lead_score.facts_from_messages(messages, as_of=as_of, known_at=known_at)
    return asdict(lead_score.score(facts, as_of=as_of)) | {"rules_version": lead_score.RULES_VERSION}


def _message(entry: Mapping[str, Any]) -> ScoredMessage:
    direction = entry["dir"]
    if direction not in {"in", "out"}:
        raise ValueError(f"dir is {direction!r}, not in or out")
    return ScoredMessage(
        at=_instant(entry["ts"]),
        direction=direction,
        question=bool(entry.get("question")),
        intents=frozenset(entry.get("intents") or ()),
        is_countable=bool(entry.get("countable", True)),
        message_id=entry.get("id"),
        received_at=_instant(entry["received_at"]) if entry.get("received_at") else None,
    )


def _instant(value: str) -> datetime:
    found = datetime.fromisoformat(value)
    if found.tzinfo is None:
        raise ValueError(f"{value} has no time zone")
    return found


def _intents(given: Mapping[str, Any]) -> dict[str, Any]:
    found = intent_rules.extract(str(given["text"]))
    named = [*found.intents, *(["question"] if found.is_question else [])]
    return {
        "intents": named,
        "handoff": found.is_handoff,
        "hits": [asdict(hit) for hit in found.hits],
        "extractor_version": found.extractor_version,
    }
