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
from mychatflow.local.commands import config, database
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


def test_settings_are_shown_without_secrets(tmp_path):
    done = run(
        tmp_path, "config", "show", "--json", OPENAI_API_KEY="sk-very-secret", OPENAI_BASE_URL="http://me:pw@host/v1"
    )

    shown = json.loads(done.stdout)
    assert "sk-very-secret" not in done.stdout
    assert "pw" not in shown["OPENAI_BASE_URL"]
    assert shown["WEB_PORT"] == 8000


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("WEB_PORT", "many"),
        ("DATABASE_URL", "shop"),
        ("DATABASE_URL", "mysql://me:hush-hush@host/shop"),
        ("DATABASE_ENGINE_URL", "me:hush-hush@host/shop"),
        ("REDIS_URL", "cache.example:6379"),
        ("REDIS_URL", "redis://"),
    ],
)
def test_a_wrong_variable_is_named_and_refused(tmp_path, name, value):
    done = run(tmp_path, "config", "check", **{name: value})

    assert done.returncode == 78
    assert name in done.stderr
    assert "hush-hush" not in done.stderr
    assert "Traceback" not in done.stderr


def test_a_file_written_on_windows_is_read(tmp_path):
    (tmp_path / ".env").write_bytes(
        b"\xef\xbb\xbfWEB_PORT=8123\r\nEMAIL_FROM='Shop <a@example.test>'\r\nWEB_URL=http://h\r\n"
    )

    shown = json.loads(run(tmp_path, "config", "show", "--json").stdout)

    assert shown["WEB_PORT"] == 8123
    assert shown["EMAIL_FROM"] == "Shop <a@example.test>"
    assert shown["WEB_URL"] == "http://h"


def test_a_folder_left_blank_is_not_the_one_we_stand_in(tmp_path):
    blank = dict.fromkeys(("MYCHATFLOW_DATA_DIR", "BACKUP_DIR", "WAL_DIR", "PROMETHEUS_MULTIPROC_DIR"), "")

    shown = json.loads(run(tmp_path, "config", "show", "--json", **blank).stdout)

    assert shown["MYCHATFLOW_DATA_DIR"] == str(tmp_path / ".mychatflow")
    assert [shown[name] for name in ("BACKUP_DIR", "WAL_DIR", "PROMETHEUS_MULTIPROC_DIR")] == [None, None, None]


def test_a_misspelt_setting_is_told_and_nobody_elses(tmp_path):
    (tmp_path / ".env").write_text("WEB_PROT=8001\nWAHA_API_KEYS=x\nLOG_LEVEL=debug\nAPP_PASSWORD=x\nPATH_TO_SHOP=y\n")

    done = run(tmp_path, "config", "check")

    assert done.returncode == 0
    assert [line.partition(" in .env")[0] for line in done.stderr.splitlines()] == ["WEB_PROT", "WAHA_API_KEYS"]
    assert "WEB_PORT may be meant" in done.stderr
    assert config.misspelt(ROOT / "deploy" / "production.env.example") == []


@pytest.mark.parametrize(
    "value", ["postgresql+psycopg://me:pw@host/shop", "postgres://host/shop", "postgresql:///shop?host=/run/postgres"]
)
def test_an_address_of_a_postgres_is_taken(tmp_path, value):
    assert run(tmp_path, "config", "check", DATABASE_URL=value).returncode == 0


@pytest.mark.parametrize(
    ("variables", "named"),
    [
        ({"CLERK_ISSUER": "http://issuer.example", "CLERK_CLIENT_ID": "dash"}, "CLERK_ISSUER"),
        ({"CLERK_ISSUER": "https://issuer.example"}, "CLERK_AUDIENCE"),
        ({"REDIS_URL": "redis://cache.example:6379"}, "REDIS_URL"),
        ({"WEBHOOK_SECRET": "changeme"}, "WEBHOOK_SECRET"),
        ({"MYCHATFLOW_MASTER_KEY": "0" * 64}, "MYCHATFLOW_MASTER_KEY"),
        ({}, "MYCHATFLOW_MASTER_KEY"),
    ],
)
def test_production_refuses_unsafe_settings(tmp_path, variables, named):
    done = run(tmp_path, "config", "check", MYCHATFLOW_ENV="production", **variables)

    assert done.returncode == 78
    assert named in done.stderr


def test_production_accepts_safe_settings(tmp_path):
    done = run(
        tmp_path,
        *("config", "check"),
        MYCHATFLOW_ENV="production",
        MYCHATFLOW_MASTER_KEY="0123456789abcdef" * 4,
        WEBHOOK_SECRET="a-long-enough-hmac-key",
        REDIS_URL="rediss://:pw@cache.example:6379",
        CLERK_ISSUER="https://issuer.example",
        CLERK_CLIENT_ID="dash",
    )

    assert done.returncode == 0


def test_an_empty_webhook_key_is_refused_everywhere(tmp_path):
    assert run(tmp_path, "config", "check", WEBHOOK_SECRET="").returncode == 78


def test_a_blank_key_of_a_vendor_is_no_key(tmp_path):
    done = run(tmp_path, "config", "show", "--json", OPENAI_API_KEY="", SENTRY_DSN=" ")

    shown = json.loads(done.stdout)
    assert (shown["OPENAI_API_KEY"], shown["SENTRY_DSN"]) == (None, None)


def test_the_gateway_is_told_where_we_are_reached(tmp_path):
    settings = Settings(
        _env_file=None, MYCHATFLOW_DATA_DIR=tmp_path, web_host="0.0.0.0", web_url="https://chat.example/"
    )

    assert settings.webhook_url == "https://chat.example/api/webhooks/whatsapp"


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


def test_rules_score_reads_facts_line_by_line(tmp_path):
    facts = {
        "id": "one",
        "as_of": "2026-03-10T10:05:00Z",
        "messages": [{"ts": "2026-03-10T10:00:00Z", "dir": "in", "question": True, "intents": ["urgent"]}],
    }

    done = run(tmp_path, "rules", "score", given=json.dumps(facts) + "\n\n" + json.dumps(facts | {"id": "two"}) + "\n")

    one, two = map(json.loads, done.stdout.splitlines())
    assert (one["id"], two["id"]) == ("one", "two")
    assert (one["message_points"], one["question_points"], one["intent_points"], one["score"], one["grade"]) == (
        2, 5, 10, 17, "F",
    )  # fmt: skip


def test_rules_intents_name_rule_and_place(tmp_path):
    done = run(tmp_path, "rules", "intents", given='{"text": "How much is it? I want to talk to a person"}\n')

    answer = json.loads(done.stdout)
    assert "price_inquiry" in answer["intents"]
    assert answer["handoff"] is True
    assert all({"rule_id", "start", "end"} <= hit.keys() for hit in answer["hits"])


def test_rules_intents_explain_one_message_in_plain_words(tmp_path):
    done = run(tmp_path, "rules", "intents", "not urgent, but how much is it?")

    assert done.stdout.splitlines()[0] == "The message asks for a price and is a question."
    assert '"not urgent" in the same part of the sentence says otherwise' in done.stdout


def test_rules_language_chooses_among_the_given(tmp_path):
    done = run(tmp_path, "rules", "language", "--languages", "en,es", given='{"text": "¿Cuánto cuesta la limpieza?"}\n')

    answer = json.loads(done.stdout)
    assert answer["lang"] == "es"
    assert answer["probability"] > 0.9


@pytest.mark.parametrize(
    "line", ["not json", "[]", '{"as_of": "2026-03-10T10:05:00", "messages": []}', "{}", "[" * 99_999]
)
def test_bad_lines_are_usage(tmp_path, line):
    done = run(tmp_path, "rules", "score", given=line + "\n")

    assert done.returncode == 2
    assert "line 1" in done.stderr


def test_up_names_an_unknown_program(tmp_path):
    done = run(tmp_path, "up", "--only", "web,fax")

    assert done.returncode == 2
    assert "fax" in done.stderr
