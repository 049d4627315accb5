"""Brings an installation back: the backup checked, what stood there kept aside, who was forgotten forgotten again."""

import asyncio
import json
import os
import shutil
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import psycopg
from psycopg import sql

from mychatflow.local import backup, backup_manifest, leftovers, process
from mychatflow.local.postgres import EmbeddedPostgres
from mychatflow.settings import DATABASE, Settings
from mychatflow.store.forgotten import FILE_NAME
from mychatflow.store.privacy import Privacy
from mychatflow.store.session import Store

_PATIENCE_SECONDS: Final = 3600
_KEPT_ASIDE: Final = ("postgres", "warehouse", "media")
# The last file of a stream that was cut off is not finished, and holds the newest commits.
_FETCH: Final = 'test -f "{wal}/%f" && cp "{wal}/%f" "%p" || cp "{wal}/%f.partial" "%p"'


class RestoreRefused(Exception):
    """Nothing was touched; the message says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Restored:
    """`newest_message_at` is how far it reaches; `kept_aside` is what stood there before."""

    newest_message_at: datetime | None
    erased_again: int
    shredded_again: int
    seconds: float
    kept_aside: tuple[str, ...]


def restore(settings: Settings, source: Path, *, wal: Path | None, keys: Path | None, at: datetime) -> Restored:
    """The server must not run, and does not run afterwards.

    Raises RestoreRefused, BackupDamaged, ServerFailed; Failure for a server of others that still goes down.
    """
    began = time.monotonic()
    if not settings.is_embedded_database:
        raise backup.NotOurServer
    server = EmbeddedPostgres(settings)
    if (settings.data_dir / "postgres").exists() and server.answers():
        raise RestoreRefused(f"the installation of {settings.data_dir} runs: stop it first")
    # The server of a restore that was killed goes down by itself.
    leftovers.see_ended(settings, ("postgres",))
    manifest = backup_manifest.verify(source)
    _bring_keys(settings, keys, at)
    if backup.key_check(settings) != manifest.key_check:
        raise RestoreRefused("the master key here is not the one of this backup: give its keys with --keys DIR")
    kept_aside = _set_aside(settings, server.restore_mark, at)
    _copy_back(settings, server, source, wal)
    try:
        newest = _recover(server)
        erased_again, shredded_again = asyncio.run(_forget_again(settings, at))
    finally:
        server.stop()
    if not erased_again:
        _publish(settings, source)
    server.restore_mark.unlink()
    seconds = time.monotonic() - began
    return Restored(
        newest_message_at=newest,
        erased_again=erased_again,
        shredded_again=shredded_again,
        seconds=seconds,
        kept_aside=kept_aside,
    )


def row_counts(settings: Settings) -> dict[str, int]:
    """Of the tables that matter most, in an installation that is stopped."""
    server = EmbeddedPostgres(settings)
    server.start()
    try:
        with psycopg.connect(server.admin_url(DATABASE)) as connection:
            return {name: _count(connection, name) for name in ("tenants", "contacts", "interactions", "inbox")}
    finally:
        server.stop()


def _count(connection: psycopg.Connection[tuple[object, ...]], table: str) -> int:
    found = connection.execute(sql.SQL("select count(*) from {}").format(sql.Identifier(table))).fetchone()
    return int(str(found[0])) if found else 0


def _bring_keys(settings: Settings, keys: Path | None, at: datetime) -> None:
    """Never over a key that is there: it may be the only one that opens something else.

    Where no database stands, a command such as doctor made it and it opens nothing: then it goes aside.
    """
    if keys is None:
        return
    target = settings.data_dir / "keys"
    target.mkdir(parents=True, exist_ok=True, mode=0o700)
    is_new = not (settings.data_dir / "postgres").exists()
    for key in sorted(keys.glob("*.key")):
        ours = target / key.name
        if ours.exists() and ours.read_bytes() != key.read_bytes():
            if not is_new:
                raise RestoreRefused(f"{ours} is another key than {key}: move it away first")
            ours.rename(_aside(ours, at))
        if not ours.exists():
            shutil.copy2(key, ours)
            ours.chmod(0o600)


def _set_aside(settings: Settings, mark: Path, at: datetime) -> tuple[str, ...]:
    """The warehouse too: it may know what the restored database does not, and is made from that one anew.

    A restore that was cut off is begun anew: what it brought goes, what it had put aside stays.
    """
    begun: dict[str, Any] = {"at": at.isoformat(), "is_aside": False}
    if mark.exists():
        begun = json.loads(mark.read_text())
    asides = {name: _aside(settings.data_dir / name, datetime.fromisoformat(begun["at"])) for name in _KEPT_ASIDE}
    if begun["is_aside"]:
        for name in _KEPT_ASIDE:
            shutil.rmtree(settings.data_dir / name, ignore_errors=True)
    else:
        _write(mark, json.dumps(begun))
        for name, aside in asides.items():
            if (settings.data_dir / name).exists():
                (settings.data_dir / name).rename(aside)
        _write(mark, json.dumps(begun | {"is_aside": True}))
    return tuple(aside.name for aside in asides.values() if aside.exists())


def _aside(path: Path, at: datetime) -> Path:
    return path.with_name(f"{path.name}.before-{at.astimezone(UTC).strftime(backup.STAMP)}")


def forget_aside(settings: Settings, *, before: datetime) -> int:
    """Remove what restores kept aside earlier than that: it holds whom a backup of its age no longer may."""
    old = [
        path
        for name in _KEPT_ASIDE
        for path in settings.data_dir.glob(f"{name}.before-*")
        if path.name.rpartition("-")[2] < before.astimezone(UTC).strftime(backup.STAMP)
    ]
    for path in old:
        shutil.rmtree(path)
    return len(old)


def _copy_back(settings: Settings, server: EmbeddedPostgres, source: Path, wal: Path | None) -> None:
    shutil.copytree(source / "postgres", server.data_dir)
    server.data_dir.chmod(0o700)
    if wal is not None:
        _replay(server, wal)
    server.own_all()
    if (source / "media").is_dir():
        shutil.copytree(source / "media", settings.media_dir)
    told = source / FILE_NAME
    if told.is_file():
        _add_erased(settings.data_dir / told.name, told)


def _replay(server: EmbeddedPostgres, wal: Path) -> None:
    """From a copy inside the server's own folder, which its user may read."""
    copied = server.data_dir / "restored_wal"
    shutil.copytree(wal, copied)
    with (server.data_dir / "postgresql.auto.conf").open("a") as file:
        file.write(f"restore_command = '{_FETCH.format(wal=copied)}'\n")
    (server.data_dir / "recovery.signal").touch()


def _add_erased(ours: Path, theirs: Path) -> None:
    """Who was erased stays erased, whichever of the two lists knows it."""
    known = ours.read_text().splitlines() if ours.exists() else []
    lines = dict.fromkeys(known + theirs.read_text().splitlines())
    _write(ours, "".join(f"{line}\n" for line in lines))


def _write(path: Path, text: str) -> None:
    """Whole or not at all, and on disk: whoever is killed or loses power leaves the one before."""
    draft = path.with_suffix(".draft")
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)


def _recover(server: EmbeddedPostgres) -> datetime | None:
    """Up to the last commit that the log holds; then a normal server, with its roles in order."""
    started = server.launch(is_restoring=True)
    until = time.monotonic() + _PATIENCE_SECONDS
    while not _has_recovered(server):
        if started.poll() is not None or time.monotonic() > until:
            raise process.ServerFailed(f"the restored server did not come up.\n{process.log_tail(server.log)}")
        time.sleep(0.1)
    server.finish_start()
    with psycopg.connect(server.admin_url(DATABASE), autocommit=True) as connection:
        connection.execute("alter system reset restore_command")
        found = connection.execute("select max(received_at) from inbox").fetchone()
    shutil.rmtree(server.data_dir / "restored_wal", ignore_errors=True)
    return found[0] if found else None


def _has_recovered(server: EmbeddedPostgres) -> bool:
    try:
        with psycopg.connect(server.admin_url(), connect_timeout=2) as connection:
            row = connection.execute("select pg_is_in_recovery()").fetchone()
    except psycopg.OperationalError:
        return False
    return row is not None and not row[0]


async def _forget_again(settings: Settings, at: datetime) -> tuple[int, int]:
    store = Store(settings)
    privacy = Privacy(store, settings)
    try:
        return await privacy.forget_again(at=at), await privacy.end_again(at=at)
    finally:
        await store.close()


def _publish(settings: Settings, source: Path) -> None:
    """Yesterday's numbers for readers until the next roll-up; not when they hold who was erased since."""
    copies = sorted((source / "warehouse").glob("marts-*.duckdb"))
    if not copies:
        return
    published = settings.warehouse_dir / "published"
    published.mkdir(parents=True, exist_ok=True)
    shutil.copy2(copies[-1], published / copies[-1].name)
    (published / "current").symlink_to(copies[-1].name)
