"""`mychatflow export` and `erase` from outside: what they write, print and refuse."""

import json
import zipfile
from uuid import uuid4

import psycopg
import pytest

from mychatflow import cli
from mychatflow import settings as configuration
from mychatflow.local import console
from tests.warehouse import history


@pytest.fixture
def business(fresh, monkeypatch):
    monkeypatch.setattr(configuration, "load", lambda: fresh)
    return history.a_business(fresh)


@pytest.fixture
def run(monkeypatch, capsys):
    """The command in this process; its exit code and what it printed."""

    def called(*arguments):
        monkeypatch.setattr("sys.argv", ["mychatflow", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        return ended.value.code, capsys.readouterr().out

    return called


@pytest.fixture
def contact_id(fresh, business):
    past = history.a_past(business, turns=5, days=1)
    history.write(fresh, past)
    return past.contacts[0][1]


def test_a_tenants_copy_is_a_zip_for_its_owner_alone(run, business, contact_id, tmp_path):
    code, said = run("export", "--tenant", business.tenant_id, "--out", tmp_path / "all.zip", "--json")

    answer = json.loads(said)
    assert code == console.OK
    assert answer["tables"]["contacts"] == 1
    assert (tmp_path / "all.zip").stat().st_mode & 0o777 == 0o600
    with zipfile.ZipFile(tmp_path / "all.zip") as archive:
        assert str(contact_id) in archive.read("contacts.jsonl").decode()
        assert not {"tenant_keys.jsonl", "api_keys.jsonl"} & set(archive.namelist())
    # Nothing is written over, and nobody's copy is nobody's file.
    assert run("export", "--tenant", business.tenant_id, "--out", tmp_path / "all.zip")[0] == console.USAGE
    target = ("--contact", uuid4(), "--out", tmp_path / "one.zip")
    assert run("export", "--tenant", business.tenant_id, *target)[0] == console.FAILED
    assert [path.name for path in tmp_path.iterdir()] == ["all.zip"]


def test_the_first_broken_audit_row_is_named(run, fresh, postgres, business, contact_id, tmp_path):
    for name in ("a", "b", "c"):
        run("export", "--tenant", business.tenant_id, "--contact", contact_id, "--out", tmp_path / name)
    code, said = run("audit", "verify", "--json")
    found = json.loads(said)
    assert (code, found["rows"], found["broken"]) == (console.OK, 3, [])
    (kept,) = found["heads"].values()
    with psycopg.connect(postgres.admin_url(fresh.database_name), autocommit=True) as connection:
        (second,) = connection.execute("select id from audit_log order by id offset 1 limit 1").fetchone()
        connection.execute("update audit_log set actor = 'nobody' where id = %s", (second,))

    code, said = run("audit", "verify", "--json")

    assert code == console.FAILED
    assert [row["row_id"] for row in json.loads(said)["broken"]] == [second]

    # A record that is gone as a whole leaves nothing to walk: a head that was kept elsewhere misses it all the same.
    with psycopg.connect(postgres.admin_url(fresh.database_name), autocommit=True) as connection:
        connection.execute("delete from audit_log")
    code, said = run("audit", "verify", "--head", f"{business.tenant_id}:{kept}", "--json")
    assert (code, [row["tenant_id"] for row in json.loads(said)["broken"]]) == (
        console.FAILED,
        [str(business.tenant_id)],
    )


def test_an_erasure_prints_its_certificate(run, fresh, business, contact_id):
    code, said = run("erase", "--tenant", business.tenant_id, "--contact", contact_id, "--json")

    certificate = json.loads(said)
    assert code == console.OK
    assert certificate["tables"]["contacts"] == {"before": 1, "after": 0, "anonymised": 0}
    assert certificate["warehouse"] == {"before": 0, "after": 0}
    with psycopg.connect(fresh.role_url("engine")) as connection:
        assert connection.execute("select count(*) from contacts where erased_at is null").fetchone() == (0,)
    assert run("erase", "--tenant", business.tenant_id, "--contact", contact_id)[0] == console.FAILED
    assert run("erase", "--tenant", business.tenant_id)[0] == console.USAGE
    assert run("erase", "--replay", "--json") == (console.OK, '{"erased_again": 0, "shredded_again": 0}\n')


def test_keys_are_rotated_and_dropped_by_name_alone(run, fresh, business):
    assert run("keys", "rotate", "--tenant", business.tenant_id, "--wait", 0)[0] == console.FAILED
    run("export", "--tenant", business.tenant_id, "--out", fresh.data_dir / "makes-a-key.zip")

    code, said = run("keys", "rotate", "--tenant", business.tenant_id, "--wait", 0, "--json")
    assert (code, json.loads(said)["version"]) == (console.OK, 2)
    code, said = run("keys", "rewrap", "--json")
    assert (code, json.loads(said)) == (console.OK, {"tenants": 1, "keys": 2})
    assert run("keys", "shred", "--tenant", business.tenant_id, "--confirm", "Shopp")[0] == console.USAGE
    code, said = run("keys", "shred", "--tenant", business.tenant_id, "--confirm", "Shop", "--json")
    assert (code, json.loads(said)["keys_dropped"]) == (console.OK, 2)
    assert run("audit", "verify")[0] == console.OK


def test_a_rotation_that_was_broken_off_goes_on(run, business, monkeypatch, tmp_path):
    rotate = ("keys", "rotate", "--tenant", business.tenant_id, "--wait")
    run("export", "--tenant", business.tenant_id, "--out", tmp_path / "makes-a-key.zip")
    assert [run(*rotate, wait)[0] for wait in ("-1", "nan", "soon")] == [console.USAGE] * 3
    with monkeypatch.context() as patch:
        patch.setattr("time.sleep", _interrupt)
        assert run(*rotate, "60")[0] == 130

    code, said = run(*rotate, "0", "--json")

    assert (code, json.loads(said)["version"]) == (console.OK, 2)


def _interrupt(_seconds):
    raise KeyboardInterrupt


def test_a_business_on_legal_hold_is_not_shredded(run, fresh, business):
    shred = ("keys", "shred", "--tenant", business.tenant_id, "--confirm", "Shop")
    hold = "update tenants set is_on_legal_hold = %s"
    with psycopg.connect(fresh.role_url("engine")) as engine:
        engine.execute(hold, (True,))
    assert run(*shred)[0] == console.FAILED

    with psycopg.connect(fresh.role_url("engine")) as engine:
        engine.execute(hold, (False,))
    assert run(*shred)[0] == console.OK
