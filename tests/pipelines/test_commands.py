"""The commands answer on stdout, say what went wrong on stderr, and mean their exit codes."""

import json
import signal
import sqlite3
import subprocess
import sys
from argparse import ArgumentParser
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import dagster as dg
import pytest
from alembic.util.exc import CommandError

from mychatflow import settings as configuration
from mychatflow.settings import Settings
from pipelines import answers, backfill, backfill_plan, backfill_run, home, reconcile, rollup
from pipelines.definitions import defs
from tests.warehouse import history
from warehouse import connection, windows
from warehouse.reader import Reader
from warehouse.windows import Window

_AT_WORK = """
import signal, sys, time
from pipelines import answers

# Whoever starts the suite in the background has it ignored, and children inherit that.
signal.signal(signal.SIGINT, signal.default_int_handler)

def work():
    print("at work", flush=True)
    time.sleep(600)

sys.exit(answers.stoppable(work))
"""
_EVENTS_AND_THEIR_SUMS = (
    "select event_id from analytics_events order by all",
    "select local_date, message_received_count from analytics_summary_daily order by all",
)
_UNCOUNTED = "update marts.analytics_summary_daily set message_received_count = 0 where list_contains(?, local_date)"
Captured = pytest.CaptureFixture[str]


@pytest.fixture
def commanded(installation: Settings, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """The installation that the commands find."""
    monkeypatch.setattr(configuration, "load", lambda: installation)
    return installation


def test_rollup_answers_what_it_did(commanded: Settings, capsys: Captured) -> None:
    business = history.a_business(commanded)
    history.write(commanded, history.a_past(business, turns=20, days=2, until=datetime.now(UTC)))

    code = rollup.main(["--json"])

    answer = json.loads(capsys.readouterr().out)
    assert code == answers.OK
    assert answer["landed"]["analytics_events"] == 80
    assert answer["models"]["analytics_events"] == 80


def test_a_rollup_shows_on_dagsters_pages(commanded: Settings, capsys: Captured) -> None:
    business = history.a_business(commanded)
    history.write(commanded, history.a_past(business, turns=20, days=2, until=datetime.now(UTC)))

    assert rollup.main(["--json"]) == answers.OK

    answer = json.loads(capsys.readouterr().out)
    today = f"{datetime.now(UTC):%Y-%m-%d}"
    with dg.DagsterInstance.from_config(str(home.prepare(commanded))) as instance:
        for node in defs.resolve_asset_graph().materializable_asset_keys:
            event = instance.get_latest_materialization_event(node)
            if node.path[0] in {"raw", "intermediate", "marts", "published"}:
                assert event is not None, node
                told = event.asset_materialization
                assert told is not None
                assert isinstance(told.metadata["dagster/row_count"].value, int)
                assert told.partition == (None if node.path[0] == "published" else today)
        marts = instance.get_latest_materialization_event(dg.AssetKey(["marts", "analytics_events"]))
        assert marts is not None
        assert marts.asset_materialization is not None
        metadata = marts.asset_materialization.metadata
        assert metadata["dagster/row_count"].value == 80
        assert metadata["data_through"].value == pytest.approx(
            datetime.fromisoformat(answer["data_through"]).timestamp(), abs=1e-3
        )


def test_reconcile_names_and_backfill_mends(commanded: Settings, capsys: Captured, published: Reader) -> None:
    business = history.a_business(commanded)
    past = history.a_past(business, turns=20, days=4, until=datetime.now(UTC) - timedelta(days=1))
    history.write(commanded, past)
    rollup.main(["--json"])
    whole, summed = (published.rows(question) for question in _EVENTS_AND_THEIR_SUMS)
    # Of three different days, and from the landing table as well: only Postgres still has them.
    lost, doubled = sorted(str(past.events[index][1]) for index in (0, 33, 66)), str(past.events[5][1])
    with connection.writer(commanded) as warehouse:
        for table in ("raw.analytics_events", "marts.analytics_events"):
            warehouse.execute(f"delete from {table} where list_contains(?, event_id::varchar)", [lost])
        warehouse.execute(
            "insert into marts.analytics_events select * from marts.analytics_events where event_id = ?", [doubled]
        )
        # As an hourly run left it that came after the loss.
        days = sorted({past.events[index][2].date() for index in (0, 33, 66)})
        warehouse.execute(_UNCOUNTED, [days])
    capsys.readouterr()

    code = reconcile.main(["--json"])
    found = json.loads(capsys.readouterr().out)

    assert (code, sorted(found["missing"]), found["surplus"]) == (answers.FAILED, lost, [doubled])
    arguments = found["mend_with"].removeprefix("mychatflow backfill ").split()
    assert backfill_run.main([*arguments, "--json"]) == answers.OK
    assert reconcile.main(["--json"]) == answers.OK
    assert [published.rows(question) for question in _EVENTS_AND_THEIR_SUMS] == [whole, summed]


def test_a_dry_run_computes_nothing(commanded: Settings, capsys: Captured) -> None:
    asked = "--asset marts/analytics_summary_daily --from 2026-01-01 --to 2026-07-01 --dry-run --json"

    code = backfill_plan.main(asked.split())

    answer = json.loads(capsys.readouterr().out)
    assert code == answers.OK
    assert answer["ranges"] == [["2026-01-01", "2026-04-03"], ["2026-04-03", "2026-07-01"]]
    assert "intermediate.int_activity_quarter_hourly" in answer["tables"]
    assert not connection.warehouse_file(commanded).exists()


def test_an_unknown_asset_is_a_usage_error(capsys: Captured) -> None:
    code = backfill_plan.main(["--asset", "nothing", "--from", "2026-01-01", "--to", "2026-02-01", "--dry-run"])

    assert code == answers.USAGE
    assert "there is no model nothing" in capsys.readouterr().err


def test_a_backwards_range_is_a_usage_error(capsys: Captured) -> None:
    with pytest.raises(SystemExit) as refusal:
        backfill.main(["--from", "2026-02-01", "--to", "2026-01-01"])

    assert refusal.value.code == answers.USAGE
    assert "is not before" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("module", "heavy"),
    [
        # What is imported before the run begins is imported once more by the run.
        ("pipelines.backfill", {"duckdb", "dagster", "sqlalchemy", "pydantic"}),
        # Nothing of the run asks them anything.
        ("warehouse.rollup", {"pandas", "polars"}),
    ],
)
def test_a_run_imports_no_more_than_it_needs(module: str, heavy: set[str]) -> None:
    said = f"import sys, {module}; print({heavy} & set(sys.modules))"

    done = subprocess.run([sys.executable, "-c", said], capture_output=True, text=True, check=True)

    assert done.stdout.strip() == "set()"


def test_an_asset_from_postgres_backfills_its_readers() -> None:
    window = Window(start=datetime.now(UTC) - timedelta(days=3), end=datetime.now(UTC))

    plan = backfill_plan.plan(["marts.llm_usage_daily"], window)

    assert plan.tables == ("marts.llm_usage_daily",)
    assert plan.sources == ("analytics_events", "tenants")
    assert len(plan.windows) == 1


def test_ctrl_c_ends_a_command_in_one_sentence() -> None:
    command = [sys.executable, "-c", _AT_WORK]

    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as stopped:
        assert stopped.stdout is not None
        assert stopped.stdout.readline() == "at work\n"
        stopped.send_signal(signal.SIGINT)
        _, told = stopped.communicate(timeout=60)

    assert stopped.returncode == answers.STOPPED
    assert told.startswith("stopped; nothing is half done")
    assert told.count("\n") == 1


def test_dagsters_home_is_written_once(installation: Settings) -> None:
    directory = home.prepare(installation)
    (directory / "dagster.yaml").write_text("telemetry:\n  enabled: false\n")

    assert home.prepare(installation) == directory
    assert (directory / "dagster.yaml").read_text() == "telemetry:\n  enabled: false\n"
    (directory / "dagster.yaml").unlink()
    assert "freshness" in (home.prepare(installation) / "dagster.yaml").read_text()


def test_a_memory_that_two_starts_made_at_once_is_mended(installation: Settings) -> None:
    memory = home.prepare(installation) / "schedules" / "schedules.db"
    with closing(sqlite3.connect(memory)) as database, database:
        database.execute("insert into alembic_version values ('5771160a95ad')")
    with pytest.raises(CommandError, match="more than one head"):
        dg.DagsterInstance.from_config(str(installation.data_dir / "dagster"))

    with dg.DagsterInstance.from_config(str(home.prepare(installation))) as instance:
        assert instance.all_instigator_state() == []


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-03-01", datetime(2026, 3, 1, tzinfo=UTC)),
        ("2026-03-01T10:00", datetime(2026, 3, 1, 10, tzinfo=UTC)),
        ("2026-03-01T10:00:00+05:30", datetime(2026, 3, 1, 4, 30, tzinfo=UTC)),
    ],
)
def test_instants_are_read_as_utc(text: str, expected: datetime) -> None:
    assert windows.instant(text) == expected


def test_a_folder_that_is_not_ours_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "keys").write_text("a file stands in the way")

    assert answers.run(lambda: len((tmp_path / "keys" / "master.key").read_text())) == answers.FAILED

    said = capsys.readouterr().err
    assert f"{tmp_path}/keys/master.key: Not a directory" in said
    assert "MYCHATFLOW_DATA_DIR" in said


@pytest.mark.parametrize("text", ["2026-02-30", "yesterday", "", "2026-03-01T25:00", "0001-01-01", "9999-12-31"])
def test_what_is_no_day_is_told_with_one_that_is(text: str, capsys: pytest.CaptureFixture[str]) -> None:
    parser = ArgumentParser()
    parser.add_argument("--from", type=windows.instant)

    with pytest.raises(SystemExit):
        parser.parse_args(["--from", text])

    assert f"argument --from: {text!r} is no" in capsys.readouterr().err
