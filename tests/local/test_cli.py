"""The command from outside: what it prints where, and the exit codes that scripts rely on."""

import json
import os
import subprocess
import sys
from pathlib import Path
from uuid import uuid4

import psycopg
import pytest
from sqlalchemy.exc import OperationalError

from mychatflow import cli
from mychatflow import settings as configuration
from mychatflow.cli import _COMMANDS
from mychatflow.local.commands import database
from mychatflow.settings import Settings

ROOT = Path(__file__).parents[2]
SAMPLES = ROOT / "tests" / "rules" / "samples"


def run(
    tmp_path: Path, *arguments: str | bytes, given: str | None = None, **variables: str
) -> subprocess.CompletedProcess[str]:
    """The command in an empty directory, so that no .env and no running installation is found."""
    environment = {name: value for name, value in os.environ.items() if name.upper() not in _OURS}
    environment |= {"PYTHONPATH": str(ROOT), "MYCHATFLOW_DATA_DIR": str(tmp_path / "data"), "NO_COLOR": "1"} | variables
    return subprocess.run(
        [sys.executable, "-m", "mychatflow", *arguments],
        cwd=tmp_path,
        env=environment,
        input=given,
        capture_output=True,
        text=True,
        check=False,
    )


_OURS = {str(field.validation_alias or name).upper() for name, field in Settings.model_fields.items()}


def test_help_lists_every_command(tmp_path):
    done = run(tmp_path, "--help")

    assert done.returncode == 0
    assert all(name in done.stdout for name in _COMMANDS)


def test_an_unknown_command_is_usage(tmp_path):
    assert run(tmp_path, "nope").returncode == 2


def test_an_unknown_benchmark_names_those_there_are(tmp_path):
    done = run(tmp_path, "bench", "nope")

    assert done.returncode == 2
    assert "webhook_accept" in done.stderr


def test_a_piped_table_has_a_line_for_each_row():
    names = ("of sixty letters and more " * 3, "of as many letters again " * 3)
    told = f"from mychatflow.local import console; console.give_table(('name', 'other'), [{names!r}] * 2)"

    done = subprocess.run([sys.executable, "-c", told], cwd=ROOT, capture_output=True, text=True, check=True)

    assert [all(name.strip() in line for name in names) for line in done.stdout.splitlines()] == [False, True, True]


@pytest.mark.parametrize("arguments", [("up",), ("start", "worker"), ("config", "check"), ("tenant", "list")])
def test_a_folder_that_nobody_can_write_is_named(tmp_path, arguments):
    (tmp_path / "file").write_text("a file stands in the way")

    done = run(tmp_path, *arguments, MYCHATFLOW_DATA_DIR=str(tmp_path / "file" / "data"))

    assert done.returncode == 1
    assert f"{tmp_path}/file" in done.stderr
    assert "MYCHATFLOW_DATA_DIR" in done.stderr
    assert "Traceback" not in done.stderr


def test_words_that_are_no_utf8_are_usage(tmp_path):
    done = run(tmp_path, "trace", b"a\xff")

    assert (done.returncode, done.stdout) == (2, "")
    assert "'a\\\\udcff' is not UTF-8" in done.stderr


def test_a_full_disk_is_named(tmp_path):
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(
            [sys.executable, "-m", "mychatflow", "config", "example"],
            cwd=ROOT, stdout=full, stderr=subprocess.PIPE, text=True, check=False,
        )  # fmt: skip

    assert done.returncode == 1
    assert "No space left" in done.stderr
    assert "Traceback" not in done.stderr


_TENANT = ("tenant", "create", "--name", "Shop", "--email", "a@b.example")
_NUMBER = ("instance", "create", "--tenant", str(uuid4()), "--session", "shop")


@pytest.mark.parametrize(
    "arguments",
    [
        (*_TENANT, "--name", " "),
        (*_TENANT, "--name", "n" * 201),
        (*_TENANT, "--name", "two\nlines"),
        (*_TENANT, "--name", "\x1b[31mred"),
        (*_TENANT, "--email", "a@b@c.example"),
        (*_TENANT, "--email", "a b@c.example"),
        (*_NUMBER, "--session", ""),
        (*_NUMBER, "--session", "a b/ü"),
        (*_NUMBER, "--name", ""),
        (*_NUMBER, "--webhook-secret", ""),
        (*_NUMBER, "--webhook-url", "no address"),
    ],
)
def test_what_the_api_refuses_the_command_refuses(tmp_path, monkeypatch, capsys, arguments):
    monkeypatch.setattr(configuration, "load", lambda: Settings(_env_file=None, MYCHATFLOW_DATA_DIR=tmp_path))
    monkeypatch.setattr("sys.argv", ["mychatflow", *arguments])

    with pytest.raises(SystemExit) as ended:
        cli.main()

    assert ended.value.code == 2
    assert f"{arguments[-2]} " in capsys.readouterr().err


def test_a_missing_database_is_a_dependency(tmp_path):
    done = run(tmp_path, "tenant", "create", "--name", "Shop", "--email", "a@b.example", "--json")

    assert done.returncode == 3
    assert done.stdout == ""
    assert "mychatflow up" in done.stderr


def test_a_full_disk_is_not_taken_for_a_database_that_is_away(tmp_path):
    settings = Settings(_env_file=None, MYCHATFLOW_DATA_DIR=tmp_path)
    full = psycopg.errors.DiskFull('could not extend file "base/1/2": No space left on device')

    told = [database.down(settings, error) for error in (full, OperationalError("insert", {}, full))]

    assert {failure.exit_code for failure in told} == {3}
    assert all(str(failure.next_step).startswith("free space") for failure in told)
    assert "No space left" in told[0].cause


def test_numbers_keep_their_programs_exit_code(tmp_path):
    assert run(tmp_path, "query", "select 1").returncode == 3
    assert run(tmp_path, "query", "drop table x; select 1").returncode in {2, 3}
    assert run(tmp_path, "query").returncode == 2


def test_an_evaluation_says_what_it_could_not_measure(tmp_path):
    unasked = run(tmp_path, "evaluate", "answers")

    assert unasked.returncode == 0
    assert "not measured" in unasked.stderr
    assert run(tmp_path, "evaluate", "answers", "--at-least", "95").returncode == 1
    assert run(tmp_path, "evaluate", "replay", "--tenant", "nobody").returncode == 2
    assert run(tmp_path, "evaluate", "replay", "--tenant", str(uuid4())).returncode == 3


def test_the_doctor_says_what_is_down(tmp_path):
    done = run(tmp_path, "doctor", "--json", WEB_PORT="1", PHONE_PORT="1", DASHBOARDS_PORT="1", DAGSTER_PORT="1")

    answer = json.loads(done.stdout)
    assert done.returncode == 3
    assert {found["check"] for found in answer["findings"] if found["verdict"] == "down"} >= {"postgres", "redis"}


def test_up_names_an_unknown_program(tmp_path):
    done = run(tmp_path, "up", "--only", "web,fax")

    assert done.returncode == 2
    assert "fax" in done.stderr
