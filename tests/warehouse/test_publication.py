"""Readers never meet the writer: publishing in a loop costs them no query, and nothing half-done is published."""

import contextvars
import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import duckdb
import polars as pl
import psycopg
import pytest

from mychatflow.events import EventType
from mychatflow.settings import Settings
from tests.warehouse import history
from tests.warehouse.history import NOON
from warehouse import connection, publish, query, rollup
from warehouse.checks import ChecksFailed
from warehouse.connection import WarehouseBusy
from warehouse.query import StatementRefused
from warehouse.reader import NothingPublished, Reader

_NEWEST = "select max(version) as version from ops.publications"
_NUMBERS = Path(__file__).parents[2] / "docs" / "numbers.md"


@contextmanager
def reading(published: Reader, *, threads: int) -> Iterator[tuple[list[int], list[Exception]]]:
    """Count the events again and again meanwhile: the answers, and the errors."""
    errors: list[Exception] = []
    answers: list[int] = []
    is_done = threading.Event()

    def read() -> None:
        while not is_done.is_set():
            try:
                answers.append(published.rows("select count(*) as n from analytics_events")[0]["n"])
            except duckdb.Error as error:
                errors.append(error)

    readers = [threading.Thread(target=read) for _ in range(threads)]
    for thread in readers:
        thread.start()
    try:
        yield answers, errors
    finally:
        is_done.set()
        for thread in readers:
            thread.join()


def test_publishing_costs_readers_no_error(installation: Settings, published: Reader) -> None:
    business = history.a_business(installation)
    history.write(installation, history.a_past(business, turns=100, days=10))
    rollup.rollup(installation, at=NOON)
    with reading(published, threads=3) as (answers, errors):
        for index in range(12):
            rollup.publish_marts(installation, at=NOON + timedelta(minutes=index))

    assert errors == []
    assert len(answers) > 12
    assert set(answers) == {400}


def test_files_that_an_erasure_removes_cost_readers_no_error(installation: Settings, published: Reader) -> None:
    history.write(installation, history.a_past(history.a_business(installation), turns=10, days=10))
    rollup.rollup(installation, at=NOON)
    directory = publish.published_dir(installation)
    made = (directory / published.version()).read_bytes()
    with reading(published, threads=4) as (answers, errors):
        for version in range(2, 102):
            newest = directory / f"marts-{version:06d}.duckdb"
            newest.write_bytes(made)
            (directory / ".current").symlink_to(newest.name)
            (directory / ".current").replace(directory / "current")
            # As a publication does that knows of somebody who was erased since.
            (directory / f"marts-{version - 1:06d}.duckdb").unlink()

    assert errors == []
    assert set(answers) == {40}


def test_who_began_on_a_file_reads_it_to_the_end(installation: Settings, published: Reader) -> None:
    rollup.rollup(installation, at=NOON)

    with published.cursor() as cursor:
        for index in range(3):
            rollup.publish_marts(installation, at=NOON + timedelta(minutes=index))
            published.rows("select 1")

        assert cursor.execute("select count(*) from analytics_events").fetchall() == [(0,)]
    assert published.rows("select count(*) as n from duckdb_databases() where path is not null") == [{"n": 1}]


def test_an_answer_reads_one_publication_between_its_queries_too(installation: Settings, published: Reader) -> None:
    rollup.rollup(installation, at=NOON)

    with published.one_publication():
        first = published.rows(_NEWEST)
        for index in range(1, 4):
            rollup.publish_marts(installation, at=NOON + timedelta(minutes=index))
        # Who asks beside it is not kept waiting for newer numbers.
        with ThreadPoolExecutor(1) as beside:
            assert beside.submit(published.rows, _NEWEST).result() != first
            answering = contextvars.copy_context()
            assert beside.submit(answering.run, published.rows, _NEWEST).result() == first

        assert published.rows(_NEWEST) == first

    assert published.rows(_NEWEST) == [{"version": 4}]
    assert published.rows("select count(*) as n from duckdb_databases() where path is not null") == [{"n": 1}]


def test_a_quantile_of_a_sketch_is_the_middle_of_its_bucket(installation: Settings, published: Reader) -> None:
    rollup.rollup(installation, at=NOON)

    found = published.rows(
        "select sketch_quantile(bucket, reached_count, total_count, share) as said,"
        " 2 * pow(1.02, min(bucket) filter (where reached_count >= share * total_count)) / 2.02 as meant"
        " from (values (1, 10, 20), (200, 19, 20), (300, 20, 20)) as ranked (bucket, reached_count, total_count)"
        " cross join (values (0.5), (0.95), (0.99)) as shares (share) group by share order by share"
    )

    assert [row["said"] for row in found] == [row["meant"] for row in found]
    assert [round(row["said"], 2) for row in found] == [1.01, 51.97, 376.47]


def test_the_notebook_of_the_docs_reads_the_marts(installation: Settings, published: Reader) -> None:
    business = history.a_business(installation)
    history.write(installation, history.a_past(business, turns=20, days=10))
    rollup.rollup(installation, at=NOON)
    [notebook] = re.findall(r"```python\n(.*?)```", _NUMBERS.read_text(), re.DOTALL)
    read: dict[str, Any] = {}

    exec(notebook.replace(".mychatflow/warehouse", str(installation.warehouse_dir)), read)

    assert isinstance(read["weeks"], pl.DataFrame)
    assert read["weeks"]["message_received_count"].sum() == 20
    read["marts"].close()


def test_three_published_files_are_kept(installation: Settings, published: Reader) -> None:
    for _ in range(5):
        rollup.rollup(installation, at=NOON)

    files = sorted(path.name for path in publish.published_dir(installation).iterdir())
    assert files == ["current", "marts-000003.duckdb", "marts-000004.duckdb", "marts-000005.duckdb"]
    assert published.version() == "marts-000005.duckdb"


def test_a_broken_promise_publishes_nothing(installation: Settings, published: Reader) -> None:
    business = history.a_business(installation)
    event = history.an_event(business, EventType.MESSAGE_RECEIVED, at=NOON - timedelta(hours=1))
    history.write_events(installation, [event])
    rollup.rollup(installation, at=NOON)
    with psycopg.connect(installation.role_url("engine")) as engine:
        engine.execute(
            "insert into contacts (tenant_id, instance_id, wa_id, chat_id) values (%s, %s, 'w', 'w')",
            (business.tenant_id, business.instance_id),
        )
        # A score whose parts do not add up.
        engine.execute(
            "insert into lead_score_events (tenant_id, contact_id, as_of, cause, message_points, speed_points,"
            " question_points, intent_points, base, decay, score, grade, rules_version, extractor_version)"
            " select tenant_id, id, %s, 'inbound', 2, 0, 0, 0, 99, 0, 99, 'A', 'lead_v1', 'intents_v1' from contacts",
            (NOON,),
        )

    with pytest.raises(ChecksFailed) as failure:
        rollup.rollup(installation, at=NOON)

    assert [result.name for result in failure.value.results] == ["base_is_the_sum_of_its_parts"]
    assert published.version() == "marts-000001.duckdb"
    with connection.writer(installation) as warehouse:
        assert warehouse.execute("select count(*) from marts.lead_score_history").fetchall() == [(0,)]
        recorded = warehouse.execute("select check_name from meta.check_results where failed_count > 0").fetchall()
    assert recorded == [("base_is_the_sum_of_its_parts",)]


def test_a_run_in_a_small_warehouse_leaves_the_machine_its_memory(installation: Settings) -> None:
    with connection.writer(installation) as warehouse:
        assert warehouse.execute("select current_setting('memory_limit')").fetchall() == [("183.1 MiB",)]


def test_a_second_writer_waits_and_says_so(installation: Settings) -> None:
    with (
        connection.writer(installation),
        pytest.raises(WarehouseBusy, match="process"),
        connection.writer(installation, patience_seconds=0.1),
    ):
        pass


def test_reading_before_the_first_rollup_says_so(published: Reader) -> None:
    with pytest.raises(NothingPublished, match="mychatflow rollup"):
        published.rows("select 1")


_NO_QUESTIONS = (
    "delete from analytics_events",
    "create table mine as select 1",
    "create temp table mine as select 1",
    "attach 'other.duckdb'",
    "set threads = 1",
    "copy (select 1) to 'out.csv'",
    "select 1; delete from analytics_events",
    "pragma database_list",
    "",
)


@pytest.mark.usefixtures("published")
def test_a_query_only_ever_reads_the_published(installation: Settings) -> None:
    rollup.rollup(installation, at=NOON)

    for statement in _NO_QUESTIONS:
        with pytest.raises(StatementRefused):
            next(query.select(statement))
    with pytest.raises(duckdb.PermissionException):
        next(query.select("select * from read_text('/etc/hostname')"))


def test_who_has_read_enough_of_a_query_sees_no_traceback(installation: Settings, published: Reader) -> None:
    rollup.rollup(installation, at=NOON)
    assert published.version()
    environment = os.environ | {
        "MYCHATFLOW_DATA_DIR": str(installation.data_dir),
        "WAREHOUSE_URL": str(installation.warehouse_url),
    }
    command = [sys.executable, "-m", "warehouse.query", "select range as n from range(1000000000000)", "--json"]

    # As `| head -1` does.
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as asked:
        assert asked.stdout is not None
        assert asked.stderr is not None
        assert asked.stdout.readline() == '{"n": 0}\n'
        asked.stdout.close()
        assert asked.stderr.read() == ""
    assert asked.returncode == -signal.SIGPIPE


def test_query_prints_one_object_a_line(
    installation: Settings, published: Reader, capsys: pytest.CaptureFixture[str]
) -> None:
    rollup.rollup(installation, at=NOON)
    assert published.version()

    code = query.main(["select 1 as n, timestamptz '2026-01-01 00:00:00+00' as at", "--json"])

    assert (code, capsys.readouterr().out) == (0, '{"n": 1, "at": "2026-01-01T00:00:00+00:00"}\n')
    assert query.main(["select range as n from range(1000000000000)"]) == query.OK
    table = capsys.readouterr()
    assert (len(table.out.splitlines()), "--json" in table.err) == (1 + 10_000, True)
    assert query.main(["select nothing_like_it"]) == query.FAILED
    assert query.main(["drop table episodes"]) == query.USAGE


@pytest.mark.parametrize(
    ("question", "line"),
    [
        ("select 1 as n, 2 as n, 3 as n_2, 4 as n", '{"n": 1, "n_2": 2, "n_2_2": 3, "n_3": 4}'),
        ("select 'nan'::double as x, ['inf'::double, 0.5] as y", '{"x": null, "y": [null, 0.5]}'),
        ("select map {date '2026-01-31': 'inf'::double} as m", '{"m": {"2026-01-31": null}}'),
    ],
)
def test_every_value_has_its_own_place_in_json(
    installation: Settings, published: Reader, capsys: pytest.CaptureFixture[str], question: str, line: str
) -> None:
    rollup.rollup(installation, at=NOON)
    assert published.version()

    assert query.main([question, "--json"]) == query.OK
    assert capsys.readouterr().out == line + "\n"
