"""What a backup must hold, file by file: written when it is made, checked before anybody relies on it."""

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final

NAME: Final = "MANIFEST.json"
_FORMAT: Final = 1
# Postgres's own list of the files of a base backup; pg_verifybackup of our build crashes, so we read it ourselves.
_POSTGRES_LIST: Final = Path("postgres") / "backup_manifest"


class BackupDamaged(Exception):
    """The backup is not what was written; the message names the first file that differs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """`key_check` tells whether a master key is the one that this backup needs, without telling the key."""

    made_at: datetime
    key_check: str
    wal_file: str
    byte_size: int
    files: Mapping[str, str]


def write(directory: Path, *, made_at: datetime, key_check: str, wal_file: str) -> Manifest:
    """The last file of a backup: without it there is none."""
    files = {str(path.relative_to(directory)): digest(path) for path in _files(directory)}
    size = sum((directory / name).stat().st_size for name in files)
    manifest = Manifest(made_at=made_at, key_check=key_check, wal_file=wal_file, byte_size=size, files=files)
    told = asdict(manifest) | {"format": _FORMAT, "made_at": made_at.isoformat()}
    draft = directory / f".{NAME}"
    draft.write_text(json.dumps(told, indent=1) + "\n")
    draft.replace(directory / NAME)
    return manifest


def read(directory: Path) -> Manifest:
    """Raises BackupDamaged."""
    try:
        told = json.loads((directory / NAME).read_text())
        if told["format"] != _FORMAT:
            raise BackupDamaged(f"{directory / NAME}: format {told['format']} is not known to this version")
        return Manifest(
            made_at=datetime.fromisoformat(told["made_at"]),
            key_check=told["key_check"],
            wal_file=told["wal_file"],
            byte_size=told["byte_size"],
            files=told["files"],
        )
    except FileNotFoundError as missing:
        raise BackupDamaged(f"{directory} holds no finished backup: there is no {NAME}") from missing
    except (KeyError, ValueError, TypeError) as error:
        raise BackupDamaged(f"{directory / NAME} cannot be read: {type(error).__name__}") from error


def verify(directory: Path) -> Manifest:
    """Every file is there, none is more, all have their checksums, by our list and by Postgres's own.

    Raises BackupDamaged.
    """
    manifest = read(directory)
    found = {str(path.relative_to(directory)) for path in _files(directory)}
    for name in sorted(manifest.files.keys() ^ found):
        raise BackupDamaged(f"{name} is {'missing' if name in manifest.files else 'not of this backup'}")
    for name, expected in manifest.files.items():
        if digest(directory / name) != expected:
            raise BackupDamaged(f"{name} was changed since the backup was made")
    _verify_postgres(directory)
    return manifest


def digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _files(directory: Path) -> Iterator[Path]:
    for path in sorted(directory.rglob("*")):
        if path.is_file() and path.name not in {NAME, f".{NAME}"}:
            yield path


def _verify_postgres(directory: Path) -> None:
    """What the server said it sent is what arrived."""
    raw = (directory / _POSTGRES_LIST).read_bytes()
    told: dict[str, Any] = json.loads(raw)
    # The list's own checksum is over all lines but the last.
    body = raw[: raw.rindex(b"\n", 0, -1) + 1]
    if hashlib.sha256(body).hexdigest() != told["Manifest-Checksum"]:
        raise BackupDamaged(f"{_POSTGRES_LIST} does not have its own checksum")
    root = directory / _POSTGRES_LIST.parent
    for entry in told["Files"]:
        path = root / (entry["Path"] if "Path" in entry else bytes.fromhex(entry["Encoded-Path"]).decode())
        if not path.is_file() or path.stat().st_size != entry["Size"]:
            raise BackupDamaged(f"{path.relative_to(directory)} does not have the size that Postgres told")
        if digest(path) != entry["Checksum"]:
            raise BackupDamaged(f"{path.relative_to(directory)} does not have the checksum that Postgres told")
