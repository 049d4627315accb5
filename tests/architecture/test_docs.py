"""The documentation builds without a warning, tells every table and number, and names only commands that exist."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import typer.main
import yaml

from mychatflow.cli import app
from pipelines import reference
from warehouse import metrics, models

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
COMMAND = re.compile(r"(?:^|`)(?:\.venv/bin/)?mychatflow ((?:[a-z]+ ?)+)", re.MULTILINE)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site, made in a copy of docs/ so that nothing is written into the checkout."""
    home = tmp_path_factory.mktemp("site")
    subprocess.run(["cp", "-r", str(ROOT / "docs"), str(ROOT / "mkdocs.yml"), str(home)], check=True)
    subprocess.run(
        [sys.executable, "-m", "pipelines.reference", str(home / "docs" / "reference")], cwd=ROOT, check=True
    )
    environment = os.environ | {"NO_MKDOCS_2_WARNING": "1"}
    # Not --quiet, under which warnings do not count.
    subprocess.run([sys.executable, "-m", "mkdocs", "build", "--strict"], cwd=home, env=environment, check=True)
    return home / "site"


def test_every_table_and_metric_is_told(site: Path):
    tables, numbers = (site / "reference" / name for name in ("tables.html", "metrics.html"))

    assert [model.table for model in models.discover() if model.table not in tables.read_text()] == []
    assert [name for name in metrics.METRICS if f"<code>{name}</code>" not in numbers.read_text()] == []


def test_a_number_tells_the_sql_that_it_is_made_of():
    told = {name: reference._metric(found) for name, found in metrics.METRICS.items()}

    assert "`marts.analytics_summary_daily`: `message_read_count` ÷ `message_sent_count`" in told["read_rate"]
    assert "`sql/facts/episodes.sql`: `is_autonomous` ÷ `is_involved`" in told["auto_resolution"]
    assert "`ai_cost` ÷ `bookings`" in told["cost_per_booking"]
    for name, line in told.items():
        for file in re.findall(r"`(sql/[\w/.]+)`", line):
            assert (ROOT / file).exists(), name
        for table in re.findall(r"`marts\.(\w+)`", line):
            assert (ROOT / "sql" / "marts" / f"{table}.sql").exists(), name


def test_a_page_asks_no_other_host(site: Path):
    fetched = re.compile(r"""(?:src|href)=["'](?:https?:)?//[^"']+["'][^>]*>""")

    for page in site.rglob("*.html"):
        found = [link for link in fetched.findall(page.read_text()) if "<a" not in link and "canonical" not in link]
        assert [link for link in found if link.startswith("src") or 'rel="stylesheet"' in link] == []


def test_every_page_is_in_the_navigation():
    listed = set(re.findall(r"[\w/-]+\.md", (ROOT / "mkdocs.yml").read_text()))
    pages = {str(path.relative_to(ROOT / "docs")) for path in (ROOT / "docs").rglob("*.md")}

    assert {page for page in pages if not page.startswith("reference/")} - listed == set()
    assert yaml.safe_load((ROOT / "mkdocs.yml").read_text())["strict"]


@pytest.mark.parametrize("page", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_the_commands_that_pages_name_exist(page: Path):
    known = typer.main.get_command(app)

    for words in COMMAND.findall(page.read_text()):
        group, (first, *rest) = known, words.split()
        assert first in group.commands, words
        inner = getattr(group.commands[first], "commands", None)
        if inner and rest:
            assert rest[0] in inner, words
