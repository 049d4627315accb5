"""The daily backup, and the weekly proof that it can be restored and how long that takes."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import dagster as dg
from pydantic import SecretStr

from mychatflow.local import backup, backup_manifest, restore
from mychatflow.settings import Settings
from pipelines.assets.landing import OWNERS
from pipelines.resources import Installation


@dg.asset(
    key=["backups", "backup"],
    group_name="trust",
    kinds={"postgres", "file"},
    owners=OWNERS,
    freshness_policy=dg.FreshnessPolicy.time_window(fail_window=timedelta(hours=50), warn_window=timedelta(hours=26)),
)
def backup_copy(installation: dg.ResourceParam[Installation]) -> dg.MaterializeResult[None]:
    """A checked copy in BACKUP_DIR, older ones pruned. Grain: one folder per run. A rerun makes one more."""
    settings, target, at = installation.settings, _target(installation.settings), datetime.now(UTC)
    path, manifest = backup.make(settings, target, at=at)
    backup_manifest.verify(path)
    pruned = backup.prune(target, at=at)
    log_pruned = backup.prune_log(settings.wal_dir, target) if settings.wal_dir else 0
    installation.beat("backup")
    return dg.MaterializeResult(
        metadata={
            "dagster/row_count": len(manifest.files),
            "byte_size": manifest.byte_size,
            "backup": path.name,
            "pruned": pruned,
            "log_files_pruned": log_pruned,
        }
    )


@dg.asset(
    key=["backups", "restore_drill"],
    deps=[backup_copy],
    group_name="trust",
    kinds={"postgres"},
    owners=OWNERS,
    freshness_policy=dg.FreshnessPolicy.time_window(fail_window=timedelta(days=15), warn_window=timedelta(days=8)),
)
def restore_drill(installation: dg.ResourceParam[Installation]) -> dg.MaterializeResult[None]:
    """The newest backup brought back beside the living. Grain: one drill per run. A rerun drills again."""
    settings = installation.settings
    newest = backup.all_in(_target(settings))[-1]
    with _beside(settings) as scratch:
        done = restore.restore(scratch, newest, wal=None, keys=None, at=datetime.now(UTC))
        counts = restore.row_counts(scratch)
    if not counts["tenants"]:
        raise dg.Failure(f"{newest.name} came back empty")
    return dg.MaterializeResult(
        metadata={
            "dagster/row_count": sum(counts.values()),
            "restore_seconds": round(done.seconds, 1),
            "backup": newest.name,
            "erased_again": done.erased_again,
            **counts,
        }
    )


def _target(settings: Settings) -> Path:
    if settings.backup_dir is None:
        raise dg.Failure("BACKUP_DIR is not set: name a folder on another disk")
    return settings.backup_dir


@contextmanager
def _beside(settings: Settings) -> Iterator[Settings]:
    """An installation of its own with the same keys, gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="mychatflow-drill-", ignore_cleanup_errors=True) as directory:
        yield settings.model_copy(
            update={
                "data_dir": Path(directory),
                "warehouse_url": None,
                "wal_dir": None,
                "master_key": SecretStr(settings.master.hex()),
            }
        )
