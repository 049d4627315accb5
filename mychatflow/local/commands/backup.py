"""`mychatflow backup` and `mychatflow restore`: a copy that is checked, and the way back that is measured."""

from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from mychatflow.local import backup as copies
from mychatflow.local import backup_manifest, console, process
from mychatflow.local import restore as return_to
from mychatflow.local.backup_manifest import BackupDamaged
from mychatflow.local.commands import loading
from mychatflow.local.console import DEPENDENCY_DOWN, USAGE, Failure, say

app = typer.Typer(invoke_without_command=True, no_args_is_help=True, add_completion=False)
restore = typer.Typer(add_completion=False)
_Json = Annotated[bool, typer.Option("--json", help="One JSON object.")]


@app.callback()
def make(
    context: typer.Context,
    to: Annotated[
        Path | None, typer.Option(help="A folder on another disk; the backup becomes a folder in it.")
    ] = None,
    keys_to: Annotated[Path | None, typer.Option(help="Where the keys go: another place than --to.")] = None,
    as_json: _Json = False,
) -> None:
    """Copy the running installation: database, kept files, published numbers and settings. Keys only to --keys-to."""
    if context.invoked_subcommand is not None:
        return
    if to is None:
        raise Failure("--to is missing", next_step="mychatflow backup --to DIR --keys-to OTHER", exit_code=USAGE)
    if keys_to is not None and keys_to.absolute().is_relative_to(to.absolute()):
        raise Failure("--keys-to lies inside --to: whoever has both can read everything", exit_code=USAGE)
    loaded = loading.settings()
    try:
        path, manifest = copies.make(loaded, to, at=datetime.now(UTC))
    except copies.NotOurServer as theirs:
        raise Failure("nothing was copied", next_step=theirs.advice) from theirs
    except copies.BackupFailed as failed:
        raise Failure(
            f"no backup was made: {failed}", next_step="mychatflow doctor", exit_code=DEPENDENCY_DOWN
        ) from failed
    keys = copies.copy_keys(loaded, keys_to) if keys_to is not None else 0
    if not keys:
        say("the keys are not in it: copy them apart with --keys-to, nothing opens without them")
    answer = {"backup": str(path), "files": len(manifest.files), "bytes": manifest.byte_size, "keys": keys}
    _give(answer, as_json=as_json)


@app.command()
def verify(
    path: Annotated[
        Path | None, typer.Argument(help="A backup, or a folder of backups: then the newest. BACKUP_DIR when left out.")
    ] = None,
    as_json: _Json = False,
) -> None:
    """Read every file of a backup against its checksums."""
    place = path or loading.settings().backup_dir
    if place is None:
        raise Failure("which backup?", next_step="mychatflow backup verify DIR, or set BACKUP_DIR", exit_code=USAGE)
    newest = _the_backup(place)
    try:
        manifest = backup_manifest.verify(newest)
    except BackupDamaged as damaged:
        raise Failure(f"{newest} is damaged: {damaged}", next_step="mychatflow backup --to DIR") from damaged
    answer = {"backup": str(newest), "made_at": manifest.made_at, "files": len(manifest.files)}
    _give(answer | {"bytes": manifest.byte_size}, as_json=as_json)


@restore.command()
def bring_back(
    source: Annotated[Path, typer.Option("--from", help="A backup, or the folder of backups: then the newest.")],
    wal: Annotated[
        Path | None, typer.Option(help="The streamed log (WAL_DIR), for what came after the backup.")
    ] = None,
    keys: Annotated[Path | None, typer.Option(help="The keys that were copied apart.")] = None,
    as_json: _Json = False,
) -> None:
    """Bring back a stopped installation. What is there is kept aside; erased people are erased again."""
    loaded = loading.settings()
    log = wal if wal is not None else loaded.wal_dir
    try:
        done = return_to.restore(
            loaded,
            _the_backup(source),
            wal=log if log is not None and log.is_dir() else None,
            keys=keys,
            at=datetime.now(UTC),
        )
    except copies.NotOurServer as theirs:
        raise Failure("nothing was restored", next_step=theirs.advice) from theirs
    except BackupDamaged as damaged:
        raise Failure(f"the backup is damaged: {damaged}", next_step="use an older one") from damaged
    except return_to.RestoreRefused as refused:
        raise Failure(f"nothing was restored: {refused}") from refused
    except process.ServerFailed as failed:
        raise Failure(str(failed), next_step="use an older backup", exit_code=DEPENDENCY_DOWN) from failed
    say("next: mychatflow up, then: mychatflow rollup")
    _give(asdict(done), as_json=as_json)


def _the_backup(path: Path) -> Path:
    if (path / backup_manifest.NAME).is_file():
        return path
    found = copies.all_in(path)
    if not found:
        step = "name the folder that `mychatflow backup --to` was given"
        raise Failure(f"{path} holds no finished backup", next_step=step, exit_code=USAGE)
    return found[-1]


def _give(answer: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        console.give_json(answer)
    else:
        console.give_record(answer)
