"""A release must serve on the next one's schema: migrations add, and take away only what was announced."""

import re
from pathlib import Path

import pytest

VERSIONS = sorted((Path(__file__).parents[2] / "mychatflow" / "store" / "migrations" / "versions").glob("0*.py"))
# Before the first release nothing ran on the older shape.
FIRST_RELEASE = "0018"
TAKES_AWAY = re.compile(
    r"drop\s+(?:table|column|type)|rename\s+(?:to|column)|set\s+not\s+null|alter\s+column\s+\w+\s+type", re.IGNORECASE
)
ANNOUNCED = re.compile(r"^# Contract: unused since \S+\.", re.MULTILINE)


@pytest.mark.parametrize(
    "path", [path for path in VERSIONS if path.name[:4] > FIRST_RELEASE], ids=lambda path: path.stem
)
def test_a_migration_takes_nothing_from_running_code(path: Path):
    text = path.read_text()

    assert not TAKES_AWAY.search(text) or ANNOUNCED.search(text)


@pytest.mark.parametrize(
    "text",
    ["alter table x drop column y", "ALTER TABLE x ALTER COLUMN y SET NOT NULL", "alter table x rename column a to b"],
)
def test_what_takes_away_is_recognised(text: str):
    assert TAKES_AWAY.search(text)


def test_migrations_are_one_line_of_numbers():
    numbers = [path.name[:4] for path in VERSIONS]
    texts = [path.read_text() for path in VERSIONS]

    assert [re.findall(r'^revision = "(\w+)"', text, re.MULTILINE) for text in texts] == [
        [number] for number in numbers
    ]
    assert [re.findall(r'^down_revision = "(\w+)"', text, re.MULTILINE) for text in texts[1:]] == [
        [number] for number in numbers[:-1]
    ]
