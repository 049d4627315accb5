"""A warehouse that is a lake tells the same numbers, to many readers and from several writers at once.

Runs where the environment of requirements-lake.txt is: `make test-lake`. Elsewhere only the address is tested.
"""

import importlib.util
import multiprocessing
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import psycopg
import pytest

from mychatflow.local.postgres import EmbeddedPostgres
from mychatflow.settings import Settings
from tests.conftest import DatabaseSettings
from tests.fakes import s3
from tests.warehouse import history
from tests.warehouse.history import NOON
from warehouse import connection, lake, models, publish, reconciliation, rollup
from warehouse.busy import WarehouseBusy
from warehouse.lake import Lake, LakeRefused
from warehouse.reader import Reader
from warehouse.windows import covering

needs_lake = pytest.mark.skipif(
    importlib.util.find_spec("duckdb_extension_ducklake") is None,
    reason="the lake needs the environment of requirements-lake.txt: make test-lake",
)
# Every small table of a landing is a file and a commit here: a lake is for much data on many machines.
pytestmark = pytest.mark.timeout(1200)
_ROWS = 400


@pytest.mark.parametrize("url", ["ducklake:", "ducklake:postgresql://u@h/db", "ducklake:/tmp/catalog#/tmp/data"])
def test_a_lakes_address_says_catalog_and_files(url: str) -> None:
    with pytest.raises(LakeRefused, match="WAREHOUSE_URL: a lake is ducklake:postgresql://"):
        lake.of(url)


def test_a_file_is_no_lake() -> None:
    assert lake.of(None) is None
    assert lake.of("duckdb:///data/warehouse.duckdb") is None


@pytest.fixture(scope="module")
def bucket() -> Iterator[str]:
    with s3.serving("lake") as address:
        yield f"s3://lake/rows?endpoint={address}"


@pytest.fixture(params=["directory", "bucket"])
def shore(
    request: pytest.FixtureRequest,
    fresh: DatabaseSettings,
    postgres: EmbeddedPostgres,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Settings]:
    """Settings whose warehouse is a lake: its catalog in a database of its own."""
    name = f"catalog_{fresh.database_name}"
    with psycopg.connect(postgres.admin_url(), autocommit=True) as admin:
        admin.execute(f"create database {name}")
    address = postgres.admin_url().partition("://")[2]
    user, _, host = address.partition("@")
    catalog = f"postgresql://{user}@/{name}?{host.partition('?')[2]}"
    place = f"{tmp_path}/lake"
    if request.param == "bucket":
        # Of this lake alone, as the files' names are told by their catalog.
        place = request.getfixturevalue("bucket").replace("/rows", f"/{name}")
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", "key")
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    else:
        (tmp_path / "lake").mkdir()
    yield fresh.model_copy(update={"warehouse_url": f"ducklake:{catalog}#{place}", "data_dir": fresh.data_dir})
    with psycopg.connect(postgres.admin_url(), autocommit=True) as admin:
        admin.execute(f"drop database {name} with (force)")


@needs_lake
def test_the_models_run_unchanged_on_a_lake(shore: Settings, tmp_path: Path) -> None:
    business = history.a_business(shore, timezone="Asia/Kolkata")
    history.write(shore, history.a_past(business, turns=60, days=6))
    on_file = shore.model_copy(update={"warehouse_url": f"duckdb:///{tmp_path}/file/warehouse.duckdb"})

    for settings in (shore, on_file):
        rollup.rollup(settings, at=NOON)
        window = covering(NOON - timedelta(days=4), NOON - timedelta(days=2))
        rollup.rollup(settings, at=NOON, window=window, only=models.discover())

    names = [model.name for model in models.discover() if model.layer == "marts" and not model.is_view]
    found = [Reader(publish.published_dir(settings)) for settings in (shore, on_file)]
    for name in names:
        lakes, files = (one.rows(f"select columns(*)::varchar from {name} order by all") for one in found)
        assert lakes == files, name
    assert len(found[0].rows("from analytics_events")) == 240
    assert reconciliation.reconcile(shore, at=NOON).is_equal
    for one in found:
        one.close()


def _write(catalog: str, data_path: str, table: str, start: object) -> None:
    at = Lake(catalog=catalog, data_path=data_path)
    start.wait()  # type: ignore[attr-defined]  # the barrier of whichever context made it
    for number in range(5):
        with lake.turn(at, table, 60), lake.opened(at) as connection:
            connection.execute("begin")
            connection.execute(f"delete from marts.{table} where n % 5 = {number}")
            connection.execute(f"insert into marts.{table} from range({_ROWS}) as t(n) where n % 5 = {number}")
            connection.execute("commit")


@needs_lake
def test_two_writers_and_a_reader_meet_no_error(shore: Settings) -> None:
    at = lake.of(shore.warehouse_url)
    assert at is not None
    with connection.writer(shore) as warehouse:
        for table in ("one", "two"):
            warehouse.execute(f"create table marts.{table} as select n from range({_ROWS}) as t(n)")
    spawned = multiprocessing.get_context("spawn")
    start = spawned.Barrier(3)
    # Two of them write the same table, by turns; the third another one meanwhile.
    writers = [
        spawned.Process(target=_write, args=(at.catalog, at.data_path, table, start)) for table in ("one", "one", "two")
    ]
    for process in writers:
        process.start()

    seen = set()
    with lake.opened(at, read_only=True) as reading:
        while any(process.is_alive() for process in writers):
            for table in ("one", "two"):
                seen.add(reading.execute(f"select count(*), count(distinct n) from marts.{table}").fetchall()[0])

    assert [process.exitcode for process in writers] == [0, 0, 0]
    assert seen == {(_ROWS, _ROWS)}


@needs_lake
def test_a_second_writer_is_told_who_holds_the_lake(shore: Settings) -> None:
    with (
        connection.writer(shore),
        pytest.raises(WarehouseBusy, match=r"the warehouse of the lake is being written by process [0-9]+ of"),
        connection.writer(shore, patience_seconds=0.1),
    ):
        pass


@needs_lake
def test_a_rewritten_lake_holds_no_deleted_row(shore: Settings) -> None:
    with connection.writer(shore) as warehouse:
        warehouse.execute("create table marts.people as select uuid() as contact_id from range(20000)")
        warehouse.execute("delete from marts.people where hash(contact_id) % 2 = 0")
    before = connection.size(shore)

    connection.rebuild(shore)

    assert connection.size(shore) < before * 0.7
