"""What goes wrong with the numbers shows on the pages as exactly what it is, and as nothing more."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import psycopg
import pytest
from playwright.sync_api import Browser, expect
from streamlit.testing.v1 import AppTest

from mychatflow.events import EventType
from mychatflow.local.postgres import EmbeddedPostgres
from mychatflow.settings import Settings
from pipelines import answers, backfill_run, reconcile
from tests import conftest
from tests.dashboards import browsing
from tests.dashboards.conftest import forget
from tests.dashboards.test_pages import html_of, opened
from tests.warehouse import history
from tests.warehouse.history import Business
from warehouse import connection, rollup

# The last night of each kind whose clocks the year's calendar of zones knows.
CLOCK_CHANGES = (
    ("Europe/Madrid", date(2026, 10, 25), 100),
    ("America/New_York", date(2026, 3, 8), 92),
    ("Australia/Lord_Howe", date(2026, 10, 4), 94),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """An installation in which faults are planted, and the business they happen to."""

    settings: Settings
    business: Business

    def rollup(self) -> None:
        rollup.rollup(self.settings, at=datetime.now(UTC))
        forget()


@pytest.fixture(scope="module")
def planted(
    settings: Settings, postgres: EmbeddedPostgres, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Fault, dict[str, str]]]:
    """A quiet business with twelve messages on each of five days, and one in each zone whose clocks change."""
    with conftest.a_database(settings, postgres) as fresh:
        environment = {
            "MYCHATFLOW_DATA_DIR": str(settings.data_dir),
            "DATABASE_URL": f"postgresql://tests@/{fresh.database_name}?host={settings.socket_dir}",  # type: ignore[attr-defined]
            "WAREHOUSE_URL": f"duckdb:///{tmp_path_factory.mktemp('faults')}/warehouse.duckdb",
        }
        values: dict[str, Any] = dict(environment)
        installation = Settings(_env_file=None, **values)
        business = _named(installation, "Quiet Shop", "America/New_York")
        noons = [_at(datetime.now(UTC).date() - timedelta(days=days)) for days in range(2, 7)]
        rows = [_received(business, noon + timedelta(minutes=number)) for noon in noons for number in range(12)]
        history.write_events(installation, [*rows, *_nights(installation)])
        rollup.rollup(installation, at=datetime.now(UTC))
        yield Fault(settings=installation, business=business), environment


@pytest.fixture
def fault(planted: tuple[Fault, dict[str, str]], monkeypatch: pytest.MonkeyPatch) -> Iterator[Fault]:
    for name, value in planted[1].items():
        monkeypatch.setenv(name, value)
    forget()
    yield planted[0]
    forget()


def _named(settings: Settings, name: str, timezone: str) -> Business:
    business = history.a_business(settings, timezone=timezone)
    with psycopg.connect(settings.role_url("engine")) as engine:
        engine.execute("update tenants set name = %s where id = %s", (name, business.tenant_id))
    return business


def _nights(settings: Settings) -> Iterator[tuple[Any, ...]]:
    """A message every quarter of an hour from the day before to the day after."""
    for zone, night, _ in CLOCK_CHANGES:
        business = _named(settings, zone, zone)
        begins = _at(night, time()) - timedelta(days=2)
        for quarter in range(5 * 96):
            yield _received(business, begins + timedelta(minutes=15 * quarter))


def _at(day: date, clock: time = time(17)) -> datetime:
    """Five in the afternoon, UTC: noon or one in New York."""
    return datetime.combine(day, clock, tzinfo=UTC)


def _received(business: Business, at: datetime) -> tuple[Any, ...]:
    return history.an_event(business, EventType.MESSAGE_RECEIVED, at=at, type="text")


def _overview(workspace: str, first: date, last: date) -> AppTest:
    test = opened("overview", workspace=workspace, range="Custom", compare="false")
    return test.date_input(key="dates").set_value((first, last)).run()


def _tiles(workspace: str, day: date) -> dict[str, str]:
    test = _overview(workspace, day, day)
    assert not test.exception
    return {tile.label: tile.value for tile in test.metric}


def test_an_event_thirty_hours_late_is_seen_on_its_own_day_alone(fault: Fault) -> None:
    happened = datetime.now(UTC) - timedelta(hours=30)
    days = [datetime.now(UTC).date() - timedelta(days=back) for back in range(1, 4)]
    before = {day: int(_tiles("Quiet Shop", day)["Messages"]) for day in days}

    history.write_events(fault.settings, [_received(fault.business, happened)])
    fault.rollup()

    after = {day: int(_tiles("Quiet Shop", day)["Messages"]) for day in days}
    changed = {day: count - before[day] for day, count in after.items() if count != before[day]}
    # The shop is in New York, where it may still be the day before.
    assert changed == {happened.astimezone(ZoneInfo("America/New_York")).date(): 1}


def test_a_price_change_at_noon_prices_each_call_at_its_own_hour(fault: Fault) -> None:
    day = datetime.now(UTC).date() - timedelta(days=8)
    calls = [
        history.an_event(
            fault.business, EventType.LLM_ATTEMPT, at=_at(day) + timedelta(minutes=minute), provider="openai",
            model="m", outcome="ok" if minute % 2 else "failed", price_version="old" if minute < 0 else "new",
            cost_micro_usd=100_000 if minute < 0 else 250_000,
        )
        for minute in range(-10, 10)
    ]  # fmt: skip
    history.write_events(fault.settings, calls)
    fault.rollup()

    # Ten calls at the old price and ten at the new one, failed ones included.
    assert _tiles("Quiet Shop", day)["AI cost"] == "$3.50"


@pytest.mark.parametrize(("zone", "night", "quarters"), CLOCK_CHANGES)
def test_a_clock_change_night_is_as_long_as_it_was(fault: Fault, zone: str, night: date, quarters: int) -> None:
    assert fault.settings
    around = [_tiles(zone, night + timedelta(days=days))["Messages"] for days in (-1, 0, 1)]

    assert around == ["96", str(quarters), "96"]


def test_what_the_warehouse_lost_and_doubled_is_named_and_mended_from_the_page(
    fault: Fault, capsys: pytest.CaptureFixture[str]
) -> None:
    of_day = "occurred_at >= ? and occurred_at < ? and event_type = 'message_received'"
    days = {
        back: [
            _at(datetime.now(UTC).date() - timedelta(days=back), time()),
            _at(datetime.now(UTC).date() - timedelta(days=back - 1), time()),
        ]
        for back in (5, 3)
    }
    with connection.writer(fault.settings) as warehouse:
        ids = [
            str(name)
            for back, count in ((5, 3), (3, 1))
            for (name,) in warehouse.execute(
                f"select event_id from marts.analytics_events where {of_day} order by event_id limit {count}",
                days[back],
            ).fetchall()
        ]
        *lost, doubled = ids
        for table in ("raw", "marts"):
            warehouse.execute(f"delete from {table}.analytics_events where list_contains(?, event_id::varchar)", [lost])
        warehouse.execute(
            "insert into marts.analytics_events select * from marts.analytics_events where event_id = ?", [doubled]
        )
    assert reconcile.main([]) == answers.FAILED
    assert "3 missing, 1 surplus" in capsys.readouterr().out
    fault.rollup()

    page = opened("operations")
    assert "reconciliation · both_sides_agree: 2 rows" in html_of(page)
    assert "1 table has a warning" in html_of(page)
    # The table stands first in the list, though it is as young as the others.
    assert re.findall(r"<tr><td class=\"text\">(\w+)", html_of(page))[0] == "reconciliation"
    command = page.code[0].value.splitlines()[0]
    first, until = datetime.now(UTC).date() - timedelta(days=5), datetime.now(UTC).date() - timedelta(days=2)
    assert command == f"mychatflow backfill --from {first} --to {until}"

    assert backfill_run.main(command.split()[2:]) == answers.OK
    assert reconcile.main([]) == answers.OK
    fault.rollup()
    assert "both_sides_agree" not in html_of(opened("operations"))


@pytest.mark.browser
@pytest.mark.timeout(600)
@pytest.mark.skipif(browsing.CHROMIUM is None, reason="needs Chromium: apt-get install chromium")
def test_an_operator_finds_a_stale_table_and_mends_it(
    fault: Fault, planted: tuple[Fault, dict[str, str]], browser: Browser, tmp_path: Path
) -> None:
    """From the menu to the table, from the table to its command, from the command to a page that says fresh."""
    with connection.writer(fault.settings) as warehouse:
        # As if no run had come for two days.
        warehouse.execute(
            "update meta.model_runs set data_through = data_through - interval 2 day where model = 'episodes'"
        )
    rollup.publish_marts(fault.settings, at=datetime.now(UTC))
    with (
        browsing.serving(planted[1], tmp_path / "dashboards.log") as address,
        browsing.visiting(browser, address) as visit,
    ):
        visit.open("delivery")
        visit.page.get_by_role("link", name="Pipeline & health").click()
        row = visit.page.locator(".st-key-card-freshness tr", has_text=re.compile("^episodes "))
        expect(row.get_by_text("Late", exact=True)).to_be_visible(timeout=browsing.PATIENCE)

        visit.page.get_by_role("button", name="Command that mends it").click()
        shown = visit.page.locator("[data-testid=stCode] code").inner_text(timeout=browsing.PATIENCE)
        [command] = [line for line in shown.splitlines() if " episodes " in line]
        arguments = [sys.executable, "-m", *command.split()]
        subprocess.run(arguments, check=True, env=os.environ | planted[1], stdout=subprocess.DEVNULL)

        # The page looks again by itself.
        expect(row.get_by_text("Fresh", exact=True)).to_be_visible(timeout=browsing.PATIENCE)
        assert visit.failures == []
