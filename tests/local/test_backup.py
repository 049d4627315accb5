"""A backup is checked byte by byte, holds no key, and is refused where it cannot be made."""

import json
import shutil

import pytest
from pydantic import SecretStr

from mychatflow.local import backup_manifest
from mychatflow.local.backup_manifest import BackupDamaged
from tests.journeys.conftest import varied
from tests.local.backups import Place

pytestmark = pytest.mark.timeout(300)


def test_a_backup_is_checked_file_by_file(place, taken):
    checked = place.run("backup", "verify", str(place.backups), "--json")

    assert checked.returncode == 0, checked.stderr
    assert json.loads(checked.stdout)["files"] > 900


@pytest.mark.parametrize(
    ("name", "damage"),
    [
        ("postgres/PG_VERSION", "changed"),
        ("postgres/PG_VERSION", "missing"),
        ("media/t/one", "changed"),
        ("postgres/global/more", "not of this backup"),
    ],
)
def test_every_kind_of_damage_is_named(taken, tmp_path, name, damage):
    copy = tmp_path / "copy"
    shutil.copytree(taken, copy)
    if damage == "missing":
        (copy / name).unlink()
    else:
        (copy / name).write_bytes(b"19\n")

    with pytest.raises(BackupDamaged, match=f"{name} .*{damage}"):
        backup_manifest.verify(copy)


def test_what_postgres_told_of_its_files_is_checked_too(taken, tmp_path):
    """Damage from before our own list was made."""
    copy = tmp_path / "copy"
    shutil.copytree(taken, copy)
    manifest = backup_manifest.read(copy)
    (copy / "postgres" / "PG_VERSION").write_bytes(b"19\n")
    backup_manifest.write(copy, made_at=manifest.made_at, key_check=manifest.key_check, wal_file=manifest.wal_file)

    with pytest.raises(BackupDamaged, match="checksum that Postgres told"):
        backup_manifest.verify(copy)


def test_a_backup_holds_no_key(place, taken):
    secrets = {path.read_bytes() for path in (place.settings.data_dir / "keys").glob("*.key")}

    held = b"".join(path.read_bytes() for path in taken.rglob("*") if path.is_file())

    assert secrets
    assert not [secret for secret in secrets if secret in held]


def test_keys_may_not_lie_with_the_backup(place):
    answer = place.run("backup", "--to", str(place.backups), "--keys-to", str(place.backups / "keys"))

    assert answer.returncode == 2
    assert "--keys-to lies inside --to" in answer.stderr


def test_for_a_server_of_others_the_command_says_what_to_run(place):
    theirs = varied(place.settings, database_url=SecretStr(place.settings.role_url("app")))

    answer = Place(theirs, place.server, place.tenant).run("backup", "--to", str(place.backups))

    assert answer.returncode == 1
    assert "pg_basebackup" in answer.stderr
    assert "mychatflow erase --replay" in answer.stderr
