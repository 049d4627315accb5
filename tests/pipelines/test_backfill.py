"""Ninety days and more are a run or two, and a backfill that was killed goes on where it stood."""

import json
import os
import signal
import subprocess
import sys
from datetime import UTC, datetime, timedelta

import dagster as dg
import pytest

from mychatflow import settings as configuration
from mychatflow.settings import Settings
from pipelines import answers, backfill_run, home, killed
from pipelines.definitions import defs
from tests.conftest import DatabaseSettings
from tests.warehouse import history
from warehouse import connection, models, rollup

# Kills the process while the second range is computed.
_DYING = """
import os, signal, sys
from pipelines import backfill_run
from warehouse import checks

runs, run, test = [], backfill_run.run, checks.test

def counted(*values):
    runs.append(1)
    return run(*values)

def dying(*values, **named):
    if len(runs) == 2 and values[1].name == "analytics_summary_daily":
        os.kill(os.getpid(), signal.SIGKILL)
    return test(*values, **named)

backfill_run.run, checks.test = counted, dying
backfill_run.main(sys.argv[1:])
"""


def test_a_killed_backfill_goes_on_where_it_stood(
    installation: DatabaseSettings,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    now = datetime.now(UTC)
    business = history.a_business(installation, timezone="Asia/Kolkata")
    history.write(installation, history.a_past(business, turns=100, days=110, until=now))
    rollup.rollup(installation, at=now)
    whole = _days(installation)
    with connection.writer(installation) as warehouse:
        warehouse.execute("update marts.analytics_summary_daily set message_sent_count = 0")
    span = ["--from", f"{now - timedelta(days=120):%Y-%m-%d}", "--to", f"{now + timedelta(days=1):%Y-%m-%d}"]
    environment = os.environ | {
        "MYCHATFLOW_DATA_DIR": str(installation.data_dir),
        "DATABASE_URL": f"postgresql://tests@/{installation.database_name}?host={installation.socket_dir}",
        "WAREHOUSE_URL": str(installation.warehouse_url),
    }

    dead = subprocess.run(
        [sys.executable, "-c", _DYING, *span], env=environment, check=False, capture_output=True, text=True
    )

    assert dead.returncode == -signal.SIGKILL
    mended = _days(installation)
    assert 0 < sum(mended.values()) < sum(whole.values())
    _killed_at_its_very_start(installation)
    monkeypatch.setattr(configuration, "load", lambda: installation)
    resume = dead.stderr.rpartition("to resume from here: mychatflow backfill ")[2].split("\n")[0].split()
    assert f"{now - timedelta(days=28):%Y-%m-%d}" == resume[1]
    assert backfill_run.main([*resume, "--json"]) == answers.OK
    answer = json.loads(capsys.readouterr().out)
    assert (len(answer["ranges"]), len(answer["tables"])) == (1, len([m for m in models.discover() if not m.is_view]))
    assert _days(installation) == whole
    with dg.DagsterInstance.from_config(str(home.prepare(installation))) as instance:
        # The newest first; other tests share the home.
        statuses = [run.status.value for run in instance.get_runs(limit=4)]
    # None of the killed ones seems to run for ever.
    assert statuses == ["SUCCESS", "FAILURE", "FAILURE", "SUCCESS"]


def test_a_backfill_reaches_from_the_oldest_fact_to_today(
    installation: Settings, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(configuration, "load", lambda: installation)
    # Imported, and older than the first of Dagster's days.
    long_ago = datetime(2020, 2, 3, tzinfo=UTC)
    history.write(installation, history.a_past(history.a_business(installation), turns=5, days=2, until=long_ago))

    asset, now = ["--asset", "contact_activity_daily", "--json"], datetime.now(UTC)
    today, tomorrow = (f"{now + timedelta(days=days):%Y-%m-%d}" for days in (0, 1))

    old = backfill_run.main(["--from", "2020-01-30", "--to", "2020-02-04", *asset])
    # A year of another calendar.
    new = backfill_run.main(["--from", today, "--to", "2569-01-01", *asset])

    assert (old, new) == (answers.OK, answers.OK)
    with connection.writer(installation) as warehouse:
        found = warehouse.execute("select sum(message_received_count) from marts.contact_activity_daily").fetchall()
    assert found == [(5,)]
    ranges = [json.loads(line)["ranges"] for line in capsys.readouterr().out.splitlines()]
    assert ranges == [[["2020-01-30", "2020-02-04"]], [[today, tomorrow]]]
    with pytest.raises(SystemExit) as refused:
        backfill_run.main(["--from", "2569-01-01", "--to", "2569-02-01"])
    assert refused.value.code == answers.USAGE
    assert "2569-01-01 00:00:00+00:00 is still to come" in capsys.readouterr().err


def _killed_at_its_very_start(installation: Settings) -> None:
    """What a command leaves that was killed between making its run and starting it."""
    dead = killed.tags() | {killed._PROCESS_TAG: "1@0"}
    with dg.DagsterInstance.from_config(str(home.prepare(installation))) as instance:
        instance.create_run_for_job(defs.resolve_job_def("follow_up_check"), tags=dead)


def _days(installation: Settings) -> dict[str, int]:
    with connection.writer(installation) as warehouse:
        rows = warehouse.execute(
            "select local_date, sum(message_sent_count)::bigint as sent from marts.analytics_summary_daily group by all"
        ).fetchall()
    return {f"{day}": sent for day, sent in rows if sent}
