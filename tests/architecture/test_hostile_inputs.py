"""The pages of hostile inputs and of security name tests that exist, and no input is left out."""

import re
from pathlib import Path

HERE = Path(__file__).parents[2]
PAGE = (HERE / "docs" / "hostile-inputs.md").read_text(encoding="utf-8")
PROMISES = (HERE / "docs" / "security.md").read_text(encoding="utf-8")
RANGE = re.compile(r"H(\d+)(b?)–H(\d+)(b?)")
ONE = re.compile(r"\bH(\d+)([a-e]?)\b")


def test_every_test_of_the_pages_exists():
    named = set(re.findall(r"`(test_\w+)`", PAGE + PROMISES))
    kept = {
        name
        for path in (HERE / "tests").rglob("test_*.py")
        for name in re.findall(r"def (test_\w+)", path.read_text(encoding="utf-8"))
    }

    assert len(named) > 60
    assert named <= kept, sorted(named - kept)


def test_no_input_is_left_out():
    listed = {f"H{number}{letter}" for number, letter in ONE.findall(PAGE)}
    for first, letter, last, _ in RANGE.findall(PAGE):
        listed |= {f"H{number}{letter}" for number in range(int(first), int(last) + 1)}

    plain = {f"H{number}" for number in range(1, 73)}
    webhook_bodies = {f"H{number}b" for number in range(24, 45)}
    assert (plain | webhook_bodies) - listed == set()
