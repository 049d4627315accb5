"""`mychatflow rules`: the live rules on JSON lines from stdin, one JSON object a line out."""

import functools
import json
import sys
from collections.abc import Callable, Iterator, Mapping
from typing import Annotated, Any

import typer

from mychatflow.local import console
from mychatflow.local.console import Failure
from mychatflow.rules import intents_in_words, lines
from mychatflow.rules.lines import InvalidLine

app = typer.Typer(no_args_is_help=True, add_completion=False)
_LANGUAGES = "en,es,pt,fr,de,it,id,tr,ru,ar,hi,ja,zh"


@app.callback()
def _group() -> None:
    """Run the live rules on JSON lines from stdin."""


@app.command()
def score() -> None:
    """Facts with `messages` and `as_of` in, every part of the score and the grade out."""
    _each_line(lines.score)


@app.command()
def intents(
    text: Annotated[
        str | None, typer.Argument(help="One message, explained in plain words.", show_default=False)
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object instead of plain words.")] = False,
) -> None:
    """What a message wants: TEXT in plain words, or `{"text"}` lines from stdin as JSON, with rules and places."""
    if text is None:
        _each_line(lines.extract)
    elif as_json:
        console.give_json(lines.extract({"text": text}))
    else:
        for line in intents_in_words.told(text):
            console.give_line(line)


@app.command()
def language(
    languages: Annotated[str, typer.Option(help="The languages to choose from, separated by commas.")] = _LANGUAGES,
) -> None:
    """`{"text"}` in; its language and how sure that is out."""
    supported = tuple(code.strip() for code in languages.split(",") if code.strip())
    _each_line(functools.partial(lines.detect, languages=supported))


def _each_line(answer: Callable[[Any], Mapping[str, Any]]) -> None:
    for number, given in _lines():
        try:
            console.give_json(answer(given))
        except InvalidLine as error:
            raise Failure(
                f"line {number}: {error}",
                next_step="mychatflow rules --help says what each command reads",
                exit_code=console.USAGE,
            ) from error


def _lines() -> Iterator[tuple[int, Any]]:
    for number, line in enumerate(sys.stdin, start=1):
        if not line.strip():
            continue
        try:
            yield number, json.loads(line)
        except (ValueError, RecursionError) as error:
            raise Failure(f"line {number} is not JSON: {error}", exit_code=console.USAGE) from error
