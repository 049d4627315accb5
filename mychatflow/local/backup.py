"""Makes a backup of an installation while it runs: database, kept files, published numbers and settings, no keys."""

import json
import shutil
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

from pydantic import SecretStr

from mychatflow.local import backup_manifest, process
from mychatflow.local.backup_manifest import BackupDamaged, Manifest
from mychatflow.local.postgres import EmbeddedPostgres
from mychatflow.settings import Settings
from mychatflow.store.forgotten import FILE_NAME

STAMP: Final = "%Y%m%dT%H%M%SZ"
_SLOT: Final = "mychatflow_wal"
_SECONDS: Final = 3600
# As long as tenants are told that erased data lives on in backups.
KEPT: Final = timedelta(days=30)


class BackupFailed(Exception):
    """The backup was not made; nothing that looks like one was left."""


class NotOurServer(Exception):
    """The database is somebody else's to back up; `advice` says with what."""

    advice: Final = (
        "DATABASE_URL is a server of yours, so its backup is too. For the database: its provider's point-in-time "
        "recovery, or `pg_basebackup --pgdata=DIR --wal-method=stream --checkpoint=fast` as a role with REPLICATION, "
        "and `pg_receivewal --directory=WAL --slot=mychatflow_wal --synchronous` as a service. Beside it copy the "
        "folders `media` and, apart from all others, `keys` of the data directory (or keep MYCHATFLOW_MASTER_KEY and "
        "WEBHOOK_SECRET in your secret store). After a restore run: mychatflow erase --replay, then: mychatflow rollup"
    )


def key_check(settings: Settings) -> str:
    return settings.derived_secret("backup")[:16]


def make(settings: Settings, target: Path, *, at: datetime) -> tuple[Path, Manifest]:
    """A new folder under `target`, named for the moment. Raises NotOurServer, BackupFailed."""
    if not settings.is_embedded_database:
        raise NotOurServer
    final = target / at.astimezone(UTC).strftime(STAMP)
    draft = target / f".draft-{final.name}"
    if final.exists():
        raise BackupFailed(f"{final} exists already")
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir(parents=True, mode=0o700)
    try:
        wal_file = _copy_database(settings, draft / "postgres")
        _copy_files(settings, draft)
        (draft / "settings.json").write_text(json.dumps(_plain_settings(settings), indent=1) + "\n")
        manifest = backup_manifest.write(draft, made_at=at, key_check=key_check(settings), wal_file=wal_file)
        draft.rename(final)
    except OSError as error:
        raise BackupFailed(f"{error.strerror or error}: {error.filename or target}") from error
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    return final, manifest


def copy_keys(settings: Settings, target: Path) -> int:
    """The key files, for a place apart: whoever has both can read everything. Returns how many."""
    target.mkdir(parents=True, exist_ok=True, mode=0o700)
    keys = sorted((settings.data_dir / "keys").glob("*.key"))
    for key in keys:
        shutil.copy2(key, target / key.name)
        (target / key.name).chmod(0o600)
    return len(keys)


def all_in(target: Path) -> list[Path]:
    """The finished backups there, oldest first."""
    return sorted(path for path in target.glob("2*Z") if (path / backup_manifest.NAME).is_file())


def prune(target: Path, *, at: datetime) -> int:
    """Remove backups that are older than they are kept, but never the newest."""
    old = []
    for path in all_in(target)[:-1]:
        try:
            made_at = backup_manifest.read(path).made_at
        except BackupDamaged:
            continue
        if made_at < at - KEPT:
            old.append(path)
    for path in old:
        shutil.rmtree(path)
    return len(old)


def prune_log(wal: Path, target: Path) -> int:
    """Remove copied log from before the oldest backup that could need it."""
    kept = all_in(target)
    if not kept:
        return 0
    # A file's name is its timeline, then its place in the log.
    oldest = backup_manifest.read(kept[0]).wal_file[8:24]
    old = [path for path in wal.glob("0*") if path.suffix != ".history" and path.name[8:24] < oldest]
    for path in old:
        path.unlink()
    return len(old)


def stream_command(settings: Settings) -> tuple[list[str], dict[str, str]]:
    """The process that copies the log as it is written to `wal_dir`, and its environment."""
    server = EmbeddedPostgres(settings)
    command = [server.program("pg_receivewal"), f"--directory={settings.wal_dir}", f"--slot={_SLOT}", "--synchronous"]
    return command, server.client_environment()


def make_stream_ready(settings: Settings) -> None:
    """The folder and the slot, which keeps what was not copied yet. Raises BackupFailed."""
    if settings.wal_dir is None:
        return
    settings.wal_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
    server = EmbeddedPostgres(settings)
    slot = [f"--slot={_SLOT}", "--create-slot", "--if-not-exists", f"--directory={settings.wal_dir}"]
    _run([server.program("pg_receivewal"), *slot], server)


def _copy_database(settings: Settings, target: Path) -> str:
    """A base backup with the log that makes it whole; returns the log file it starts in."""
    server = EmbeddedPostgres(settings)
    flags = ["--format=plain", "--wal-method=stream", "--checkpoint=fast", "--manifest-checksums=SHA256", "--no-sync"]
    _run([server.program("pg_basebackup"), f"--pgdata={target}", *flags], server)
    label = (target / "backup_label").read_text()
    return label.partition("(file ")[2].partition(")")[0]


def _copy_files(settings: Settings, draft: Path) -> None:
    if settings.media_dir.is_dir():
        shutil.copytree(settings.media_dir, draft / "media")
    erased = settings.data_dir / FILE_NAME
    if erased.is_file():
        shutil.copy2(erased, draft / erased.name)
    published = settings.warehouse_dir / "published" / "current"
    if published.exists():
        (draft / "warehouse").mkdir()
        # A published file never changes: only its name may go while we copy.
        shutil.copy2(published, draft / "warehouse" / published.resolve().name)


def _plain_settings(settings: Settings) -> dict[str, Any]:
    """What was set, without what is secret: that is the key material's place."""
    values = {name: getattr(settings, name) for name in sorted(settings.model_fields_set)}
    return {name: str(value) for name, value in values.items() if not isinstance(value, SecretStr)}


def _run(command: list[str], server: EmbeddedPostgres) -> None:
    done = subprocess.run(
        command, env=server.client_environment(), capture_output=True, text=True, check=False, timeout=_SECONDS
    )
    if done.returncode != 0:
        said = done.stderr.strip() or process.log_tail(server.log)
        # After the error it tells how it cleans up.
        lines = said.splitlines()
        raise BackupFailed(next((line for line in lines if "error: " in line), f"{Path(command[0]).name}: {lines[-1]}"))
