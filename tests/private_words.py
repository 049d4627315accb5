"""What no log may hold, looked for in all that a run of the tests logs: keys, tokens, numbers, addresses.

In the tests' own process nothing is masked before it is looked at; the programs that tests start mask their logs as
they always do.
"""

import re
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

_TESTS = Path(__file__).parent
# Where programs of the product run in the tests' own process; the others print what they like.
_WATCHED = ("identity", "journeys", "realtime", "store")
_PRIVATE = {
    "an API key": re.compile(r"mcf_[A-Za-z0-9_-]{20}"),
    "a key of the tests": re.compile(r"test-hmac-key|benchmark-hmac-key|fake-key-|a-key-of-ours|whsec_[\w+/=]{12}"),
    "a credential": re.compile(r"(?i)bearer\s+[\w.-]{12}"),
    "a token": re.compile(r"eyJ[\w-]{8,}\.[\w-]{8}"),
    "a chat": re.compile(r"\d{9,15}@(?:c\.us|lid|s\.whatsapp\.net)"),
    "a phone number": re.compile(r"(?<![\w.:-])\+\d{9,15}\b"),
    "an e-mail address": re.compile(r"\w@[\w-]+\.(?:test|example|com)\b"),
}


def found_in(logged: str) -> dict[str, str]:
    """By what it is, the first line with such a word."""
    found = {}
    for name, pattern in _PRIVATE.items():
        if match := pattern.search(logged):
            begin, end = logged.rfind("\n", 0, match.start()) + 1, logged.find("\n", match.end())
            found[name] = logged[begin : end if end >= 0 else None][:300]
    return found


def judge(item: pytest.Item, report: pytest.TestReport) -> None:
    """A test whose own process logged such a word has failed, whatever it was about."""
    if report.when != "teardown" or not report.passed or not _is_watched(item):
        return
    logged = "\n".join(content for title, content in report.sections if title.startswith("Captured "))
    if found := found_in(logged):
        report.outcome = "failed"
        report.longrepr = _told(f"{item.nodeid} logged", found)


def refuse_in(*places: Path) -> None:
    """Fail when a log file below one of these places holds such a word."""
    told = [_told(str(path), found) for path, found in _judged(places)]
    assert told == [], "\n".join(told)


def _judged(places: Iterable[Path]) -> Iterator[tuple[Path, dict[str, str]]]:
    for place in places:
        for path in sorted(place.rglob("*.log")):
            # A pipe or a file that goes while it is looked at is nobody's log.
            if path.is_file() and (found := found_in(path.read_text("utf-8", errors="replace"))):
                yield path, found


def _is_watched(item: pytest.Item) -> bool:
    if item.get_closest_marker("logs_canaries") is not None:
        return False
    return item.path.is_relative_to(_TESTS) and item.path.relative_to(_TESTS).parts[0] in _WATCHED


def _told(where: str, found: dict[str, str]) -> str:
    return "\n".join([f"{where}:", *(f"  {name}: {line}" for name, line in found.items())])
