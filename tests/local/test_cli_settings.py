"""`mychatflow config` shows what is set without its secrets, and refuses by name what cannot be."""

import json

import pytest

from mychatflow.local.commands import config
from mychatflow.settings import Settings
from tests.local.test_cli import ROOT, run


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
        ("WORKER_METRICS_PORT", "0"),
        ("WORKER_METRICS_PORT", "65473"),
        ("ALERT_EMAILS", "ana@example.com; hush-hush@example.com"),
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


def test_a_file_in_another_encoding_is_refused_in_a_sentence(tmp_path):
    (tmp_path / ".env").write_bytes("EMAIL_FROM='Señor <a@example.test>'\n".encode("latin-1"))

    done = run(tmp_path, "config", "check")

    assert done.returncode == 78
    assert "UTF-8" in done.stderr
    assert "Traceback" not in done.stderr


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
