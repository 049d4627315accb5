"""A run that is killed leaves readers on the last good file, and the next run brings what it did not."""

import os
import signal
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import psycopg
import pytest

from mychatflow.events import EventType
from mychatflow.settings import Settings
from tests.conftest import DatabaseSettings
from tests.warehouse import history
from tests.warehouse.history import NOON
from warehouse import connection, models, publish, rollup
from warehouse.reader import Reader

# The process dies where it stands: at the n-th call of one of the functions it works with.
_DYING = """
import os, signal, sys
from datetime import datetime, timedelta
from warehouse import checks, connection, landing, publish, rollup
from mychatflow.settings import Settings

places = {"checks": checks, "connection": connection, "landing": landing, "publish": publish}
place, name, calls = places[sys.argv[1]], sys.argv[2], int(sys.argv[3])
real = getattr(place, name)

def dying(*values, **named):
    global calls
    calls -= 1
    if calls < 0:
        os.kill(os.getpid(), signal.SIGKILL)
    return real(*values, **named)

setattr(place, name, dying)
rollup.rollup(Settings(_env_file=None), at=datetime.fromisoformat(sys.argv[4]))
"""

_WORD = b"wamid.OF-THE-ERASED"


@pytest.mark.parametrize(
    ("module", "function", "calls"),
    [("landing", "_land_appended", 1), ("checks", "test", 3), ("publish", "_bring", 2), ("publish", "_point", 0)],
    ids=["in_a_landing", "in_a_window", "in_a_publication", "before_the_swap"],
)
def test_the_next_run_repairs_a_killed_one(
    installation: DatabaseSettings, published: Reader, module: str, function: str, calls: int
) -> None:
    business = history.a_business(installation)
    history.write(installation, history.a_past(business, turns=40, days=6))
    rollup.rollup(installation, at=NOON)
    good = published.version()
    late = [
        history.an_event(business, EventType.MESSAGE_RECEIVED, at=NOON - timedelta(days=days, minutes=7))
        for days in (0, 2, 4)
    ]
    history.write_events(installation, late)

    _die(installation, module, function, calls)

    assert published.version() == good
    assert published.rows("select count(*) as n from analytics_events")[0]["n"] == 160
    # As the daily clean-up may do before the next run.
    connection.rebuild(installation)
    rollup.rollup(installation, at=NOON + timedelta(hours=1))
    assert published.version() > good
    assert published.rows("select count(*) as n from analytics_events")[0]["n"] == 163
    _assert_published_is_the_warehouse(installation, published)
    # What the dead run had begun would keep its disk for good, and in it whoever is erased later.
    assert list(publish.published_dir(installation).glob(".*")) == []


@pytest.mark.parametrize(
    ("module", "function", "calls"),
    [("publish", "_versions", 1), ("connection", "rebuild", 0)],
    ids=["before_the_old_files_go", "before_the_bytes_go"],
)
def test_the_next_run_forgets_for_a_killed_one(
    installation: DatabaseSettings, published: Reader, module: str, function: str, calls: int
) -> None:
    business, person = history.a_business(installation), history.a_contact_id()
    word = {"at": NOON - timedelta(days=2), "contact_id": person, "message_id": _WORD.decode()}
    history.write(installation, history.a_past(business, turns=40, days=6))
    history.write_events(installation, [history.an_event(business, EventType.MESSAGE_RECEIVED, **word)])
    rollup.rollup(installation, at=NOON)
    with psycopg.connect(installation.role_url("engine")) as engine:
        engine.execute("delete from analytics_events where contact_id = %s", (person,))
        engine.execute(
            "insert into erase_list (tenant_id, contact_id, wa_hash, erased_at) values (%s, %s, 'hash', now())",
            (business.tenant_id, person),
        )

    _die(installation, module, function, calls)

    assert _holding(installation)
    rollup.rollup(installation, at=NOON + timedelta(hours=1))
    assert _holding(installation) == []
    assert published.rows("select count(*) as n from analytics_events") == [{"n": 160}]


def _holding(installation: Settings) -> list[Path]:
    """The files that have the erased word anywhere in their bytes."""
    found = [connection.warehouse_file(installation), *publish.published_dir(installation).glob("marts-*.duckdb")]
    return [path for path in found if _WORD in path.read_bytes()]


def _die(installation: DatabaseSettings, module: str, function: str, calls: int) -> None:
    environment = os.environ | {
        "MYCHATFLOW_DATA_DIR": str(installation.data_dir),
        "DATABASE_URL": f"postgresql://tests@/{installation.database_name}?host={installation.socket_dir}",
        "WAREHOUSE_URL": str(installation.warehouse_url),
    }
    killed = subprocess.run(
        [sys.executable, "-c", _DYING, module, function, str(calls), NOON.isoformat()], env=environment, check=False
    )
    assert killed.returncode == -signal.SIGKILL


def test_a_publication_of_changes_is_the_whole(installation: Settings, published: Reader) -> None:
    business = history.a_business(installation, timezone="Asia/Kolkata")
    for number, days in enumerate((9, 1, 5, 3, 0)):
        past = history.a_past(business, turns=20, days=2, until=NOON - timedelta(days=days), seed=number)
        history.write(installation, past)
        rollup.rollup(installation, at=NOON + timedelta(hours=number))

        _assert_published_is_the_warehouse(installation, published)
    assert published.version() == "marts-000005.duckdb"


def _assert_published_is_the_warehouse(installation: Settings, published: Reader) -> None:
    with connection.writer(installation) as warehouse:
        for model in models.discover():
            if model.layer == "marts" and not model.is_view:
                rows = f"from marts.{model.name} order by all"
                with published.cursor() as cursor:
                    assert cursor.execute(rows).fetchall() == warehouse.execute(rows).fetchall(), model.name
