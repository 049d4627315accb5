"""The embedded Postgres that is killed at a bad moment says so, and the next start succeeds."""

import signal
import tempfile
import threading
from pathlib import Path

import psycopg
import pytest

from mychatflow.local import process
from mychatflow.local.postgres import DatabaseLost, EmbeddedPostgres
from mychatflow.settings import DATABASE, Settings
from tests.local.test_up import until

_ROLES_LOCK = 7249183345


@pytest.fixture
def server():
    with tempfile.TemporaryDirectory(prefix="mcf-pg-", ignore_cleanup_errors=True) as directory:
        server = EmbeddedPostgres(Settings(_env_file=None, MYCHATFLOW_DATA_DIR=Path(directory)))
        server.start()
        yield server
        server.stop()


def test_a_lost_database_is_not_replaced_by_an_empty_one(tmp_path):
    lost = EmbeddedPostgres(Settings(_env_file=None, MYCHATFLOW_DATA_DIR=tmp_path))
    lost.log.parent.mkdir()
    lost.log.write_text("it was here\n")

    with pytest.raises(DatabaseLost) as refused:
        lost.launch()

    assert "restore --from" in refused.value.next_step
    assert not lost.data_dir.exists()


def test_a_kill_while_roles_are_made_is_a_failed_start(server):
    failures: list[process.ServerFailed] = []

    def finish() -> None:
        try:
            server.finish_start()
        except process.ServerFailed as failure:
            failures.append(failure)

    with psycopg.connect(server.admin_url(DATABASE), autocommit=True) as holder:
        holder.execute("select pg_advisory_lock(%s)", (_ROLES_LOCK,))
        finishing = threading.Thread(target=finish)
        finishing.start()
        waiting = "select 1 from pg_locks where locktype = 'advisory' and not granted"
        until(lambda: holder.execute(waiting).fetchone() is not None)
        server.process.send_signal(signal.SIGKILL)
        server.process.wait()
        finishing.join()

    assert len(failures) == 1
    server.start()
    assert server.answers()
