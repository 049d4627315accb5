"""The other doors of the web process: health, readiness, metrics, the reference, and honest failures."""

import asyncio
import json
import subprocess
import sys
import time
from types import SimpleNamespace

import psycopg
import pytest
from pydantic import SecretStr

from mychatflow.local import logs
from mychatflow.settings import ConfigurationRefused, Settings
from realtime import health, start
from tests.realtime.webhooks.conftest import Door


async def fetched(door: Door, path: str) -> tuple[int, str, dict[str, str]]:
    async with door.http.get(door.base_url + path, allow_redirects=False) as answer:
        return answer.status, await answer.text(), {name.lower(): value for name, value in answer.headers.items()}


async def test_a_ready_process_lists_its_dependencies(door: Door) -> None:
    assert (await fetched(door, "/health"))[0] == 200

    status, body, _ = await fetched(door, "/ready")

    found = json.loads(body)["dependencies"]
    assert status == 200, body
    assert set(found) == {"postgres", "migrations", "role", "clock", "redis", "disk"}


async def test_a_process_is_ready_as_soon_as_postgres_is_back(door: Door) -> None:
    """The connections of before are dead by then, and whoever asks first must not be the one who finds out."""
    assert (await fetched(door, "/ready"))[0] == 200
    ended = door.rows(
        "select pg_terminate_backend(pid) from pg_stat_activity"
        " where usename = current_user and datname = current_database() and pid <> pg_backend_pid()"
    )

    status, body, _ = await fetched(door, "/ready")

    assert ended
    assert status == 200, body


async def test_an_outdated_schema_is_not_ready(door: Door) -> None:
    with psycopg.connect(door.settings.role_url("owner")) as connection:
        connection.execute("update alembic_version set version_num = '0001'")

    status, body, _ = await fetched(door, "/ready")

    assert status == 503
    assert json.loads(body)["dependencies"]["migrations"]["state"] == "down"


async def test_the_release_before_serves_on_a_newer_schema(door: Door) -> None:
    with psycopg.connect(door.settings.role_url("owner")) as connection:
        connection.execute("update alembic_version set version_num = '9999'")

    status, body, _ = await fetched(door, "/ready")

    assert status == 200, body
    assert (await door.say()).status == 200


async def test_a_clock_that_is_off_is_not_ready(door: Door, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health, "time", SimpleNamespace(time=lambda: time.time() + 600))

    status, body, _ = await fetched(door, "/ready")

    assert status == 503
    assert "600 s" in json.loads(body)["dependencies"]["clock"]["detail"]


def _hide_the_inbox(settings: Settings) -> None:
    with psycopg.connect(settings.role_url("owner")) as connection:
        connection.execute("alter table inbox rename to gone")
        connection.execute("create view inbox as select * from gone where false")


async def test_a_refused_write_is_never_acknowledged(door: Door) -> None:
    assert (await door.say()).status == 200
    # In a thread: the door that may be reading the table runs in this event loop.
    await asyncio.to_thread(_hide_the_inbox, door.settings)

    assert (await door.say()).status >= 500


async def test_what_the_metrics_say_is_bounded(door: Door) -> None:
    await door.say()

    _, body, _ = await fetched(door, "/metrics")

    assert 'mychatflow_webhooks_total{event="message",outcome="stored"}' in body
    assert door.tenant.session not in body


async def test_the_reference_needs_no_other_host(door: Door) -> None:
    status, body, headers = await fetched(door, "/api/docs")

    assert status == 200
    assert "/health" in body
    assert "<script" not in body
    assert "http" not in body.partition("<style>")[2]
    assert headers["content-security-policy"].startswith("default-src 'none'")


async def test_the_front_door_leads_to_the_reference(door: Door) -> None:
    status, _, headers = await fetched(door, "/")

    assert (status, headers["location"]) == (307, "/api/docs")


async def test_an_unknown_path_is_a_problem(door: Door) -> None:
    status, body, headers = await fetched(door, "/nowhere")

    assert (status, headers["content-type"]) == (404, "application/problem+json")
    assert json.loads(body)["code"] == "not_found"
    assert headers["x-content-type-options"] == "nosniff"


def test_production_refuses_what_is_unsafe(settings: Settings) -> None:
    unsafe = settings.model_copy(
        update={
            "env": "production",
            "webhook_secret": None,
            "redis_url": SecretStr("redis://cache.example.test:6379"),
            "clerk_issuer": "http://login.example.test",
        }
    )

    with pytest.raises(ConfigurationRefused) as refused:
        start.refuse_unsafe_settings(unsafe)

    for name in ("WEBHOOK_SECRET", "MYCHATFLOW_MASTER_KEY", "REDIS_URL", "CLERK_ISSUER"):
        assert name in str(refused.value)


def test_an_empty_secret_ends_the_start(settings: Settings) -> None:
    ended = subprocess.run(
        [sys.executable, "-m", "realtime.web"],
        env={"WEBHOOK_SECRET": "good-key,", "MYCHATFLOW_DATA_DIR": str(settings.data_dir)},
        capture_output=True,
        text=True,
        # Three seconds of work, which took half a minute beside ten other test runs.
        timeout=110,
        check=False,
    )

    assert ended.returncode == 78
    assert "WEBHOOK_SECRET" in ended.stderr


def test_a_log_line_hides_what_is_secret() -> None:
    jwt = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2ln"
    line = logs.redact(
        None,
        "info",
        {
            "event": f"call +34600000001 ann@example.test {jwt} sk-abcdefghijkl",
            "text": "my secret wish",
            "api_key": "plain",
            "detail": {"phone": 34600000001, "note": '\n{"level":"info"}\x1b[31m'},
        },
    )

    written = json.dumps(line)
    for secret in ("34600000001", "ann@", "eyJ", "sk-abc", "wish", "plain", "\\u001b"):
        assert secret not in written
