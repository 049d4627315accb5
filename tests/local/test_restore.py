"""A restore brings back what was committed, never the people who were erased, and is never started from half way."""

import json
import shutil
import signal
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

import psycopg
import pytest
from pydantic import SecretStr

from mychatflow.local import backup, process, programs, restore
from mychatflow.local.console import DEPENDENCY_DOWN
from mychatflow.settings import DATABASE, Settings
from mychatflow.store import tenant_keys
from mychatflow.store.privacy import Privacy
from mychatflow.store.session import Store
from tests.factories import a_tenant
from tests.local.backups import Place, with_store
from tests.local.test_up import until

pytestmark = pytest.mark.timeout(300)


def test_the_erased_stay_erased_after_a_restore(place):
    gone = place.add("34600000092@c.us")
    place.add("34600000093@c.us")
    source = place.take()
    privacy = lambda store: Privacy(store, place.settings).forget(  # noqa: E731
        place.tenant.tenant_id, gone, actor="test", at=datetime.now(UTC)
    )
    with_store(place.settings, privacy)

    done = place.restore(source)

    assert done.erased_again == 1
    assert "34600000092@c.us" not in place.people()
    assert "34600000093@c.us" in place.people()


def test_a_business_that_ended_stays_without_keys_after_a_restore(place):
    ended = with_store(place.settings, a_tenant)

    async def end(store: Store) -> int:
        for each in (ended, place.tenant):
            async with store.tenant_transaction(each.tenant_id) as transaction:
                await store.key_ring.for_tenant(each.tenant_id, transaction)
        source.append(place.take())
        async with store.platform_transaction() as transaction:
            name = str(await tenant_keys.name_of(transaction, ended.tenant_id))
        return await Privacy(store, place.settings).end_tenant(ended.tenant_id, confirm=name, at=datetime.now(UTC))

    source: list[Path] = []
    assert with_store(place.settings, end) == 1

    done = place.restore(source[0])

    with psycopg.connect(place.server.admin_url(DATABASE)) as connection:
        keyed = {row[0] for row in connection.execute("select tenant_id from tenant_keys")}
    assert (done.erased_again, done.shredded_again) == (0, 1)
    assert place.tenant.tenant_id in keyed
    assert ended.tenant_id not in keyed


def test_a_killed_server_comes_back_with_its_last_commit(place):
    """The copied log holds what was committed after the backup, up to the kill."""
    backup.make_stream_ready(place.settings)
    command, environment = backup.stream_command(place.settings)
    stream = process.spawn(command, log=place.settings.logs_dir / "wal-stream.log", environment=environment)
    try:
        source = place.take()
        wanted = {f"346000001{number:02d}@c.us" for number in range(10)}
        for wa_id in sorted(wanted):
            place.add(wa_id)
        until(lambda: _is_copied(place))
    finally:
        place.server.process.send_signal(signal.SIGKILL)
        place.server.process.wait()
        process.stop(stream, stop_signal=signal.SIGINT, patience_seconds=10)
    shutil.rmtree(place.server.data_dir)

    done = place.restore(source, wal=place.wal)

    assert wanted <= place.people()
    assert (place.settings.media_dir / "t" / "one").read_bytes() == b"sealed"
    assert done.seconds < 120


def test_a_backup_of_another_installation_needs_its_keys(place, taken, tmp_path):
    # Not in tmp_path: every start of pytest closes the folder above it to the server's own user.
    new = place.backups.with_name("new")
    stranger = Settings(_env_file=None, MYCHATFLOW_DATA_DIR=new, webhook_secret=SecretStr("s"))
    backup.copy_keys(place.settings, tmp_path / "keys")

    with pytest.raises(restore.RestoreRefused, match="not the one"):
        restore.restore(stranger, taken, wal=None, keys=None, at=datetime.now(UTC))
    # That look made a key where there was none, as every command does: it opens nothing and is in nobody's way.
    made = (stranger.data_dir / "keys" / "master.key").read_text()
    done = restore.restore(stranger, taken, wal=None, keys=tmp_path / "keys", at=datetime.now(UTC))

    assert done.erased_again == 0
    assert (stranger.data_dir / "postgres" / "PG_VERSION").exists()
    [aside] = (stranger.data_dir / "keys").glob("master.key.before-*")
    assert aside.read_text() == made
    # A key of an installation with a database is not moved by anybody but its operator.
    (tmp_path / "keys" / "master.key").write_text(made)
    with pytest.raises(restore.RestoreRefused, match="is another key than"):
        restore.restore(stranger, taken, wal=None, keys=tmp_path / "keys", at=datetime.now(UTC))


def test_a_restore_that_was_killed_is_never_started_from_and_begins_anew(place):
    gone = place.add("34600000094@c.us")
    source = place.take()
    forget = lambda store: Privacy(store, place.settings).forget(  # noqa: E731
        place.tenant.tenant_id, gone, actor="test", at=datetime.now(UTC)
    )
    with_store(place.settings, forget)
    stood = place.people()
    place.server.stop()
    data = place.settings.data_dir
    aside_before = set(data.glob("postgres.before-*"))

    # In the middle of the copy; then while its server recovers, with the erased person in it.
    for file_name in ("postgresql.conf", "postmaster.pid"):
        _kill_restore(place, source, when=data / "postgres" / file_name)
        refused = place.run("start", "postgres")
        assert refused.returncode == DEPENDENCY_DOWN, refused.stderr
        assert "was cut off" in refused.stderr
        assert "mychatflow restore --from" in refused.stderr
    done = restore.restore(place.settings, source, wal=None, keys=None, at=datetime.now(UTC))

    place.server.start()
    assert done.erased_again == 1
    assert place.people() == stood
    # What stood there before the first of them, and nothing of the halves.
    [aside] = set(data.glob("postgres.before-*")) - aside_before
    assert aside.name in done.kept_aside


def test_a_restore_that_was_killed_while_it_put_aside_goes_on_with_that(place, taken):
    home = place.backups.with_name("moved")
    settings = Settings(_env_file=None, MYCHATFLOW_DATA_DIR=home, webhook_secret=SecretStr("s"))
    backup.copy_keys(place.settings, home / "keys")
    began = datetime(2026, 11, 27, 3, tzinfo=UTC)
    for name in ("postgres.before-20261127T030000Z", "warehouse"):
        (home / name).mkdir()
        (home / name / "mine").touch()
    (home / "restore-unfinished.json").write_text(json.dumps({"at": began.isoformat(), "is_aside": False}))

    done = restore.restore(settings, taken, wal=None, keys=None, at=datetime.now(UTC))

    assert sorted(done.kept_aside) == ["postgres.before-20261127T030000Z", "warehouse.before-20261127T030000Z"]
    assert all((home / name / "mine").exists() for name in done.kept_aside)
    assert not (home / "restore-unfinished.json").exists()


def test_what_was_kept_aside_lives_as_long_as_a_backup(tmp_path):
    settings = Settings(_env_file=None, MYCHATFLOW_DATA_DIR=tmp_path)
    old, young = "before-20261026T115959Z", "before-20261026T120000Z"
    for name in ("postgres", f"postgres.{old}", f"media.{old}", f"warehouse.{young}"):
        (tmp_path / name).mkdir()

    assert restore.forget_aside(settings, before=datetime(2026, 10, 26, 12, tzinfo=UTC)) == 2

    assert {path.name for path in tmp_path.iterdir()} == {"postgres", f"warehouse.{young}"}


def test_a_running_installation_is_not_restored_over(place, taken):
    answer = place.run("restore", "--from", str(taken))

    assert answer.returncode == 1
    assert "runs: stop it first" in answer.stderr


def _kill_restore(place: Place, source: Path, *, when: Path) -> None:
    command = [sys.executable, "-m", "mychatflow", "restore", "--from", str(source)]
    # What the half of an earlier one left is no sign of this one.
    began = time.time()
    restoring = subprocess.Popen(command, env=programs.environment(place.settings), cwd=programs.CHECKOUT)
    until(lambda: when.exists() and when.stat().st_ctime > began)
    restoring.kill()
    assert restoring.wait() == -signal.SIGKILL


def _is_copied(place: Place) -> bool:
    with psycopg.connect(place.server.admin_url(), autocommit=True) as connection:
        row = connection.execute(
            "select restart_lsn >= pg_current_wal_flush_lsn() or flush_lsn >= pg_current_wal_flush_lsn()"
            " from pg_replication_slots left join pg_stat_replication on pid = active_pid"
            " where slot_name = 'mychatflow_wal'"
        ).fetchone()
    return row is not None and bool(row[0])
