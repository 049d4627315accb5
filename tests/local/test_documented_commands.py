"""Every command that the pages tell a reader to type, typed here on an installation with a past."""

import contextlib
import io
import json
import os
import re
import shlex
import subprocess
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NoReturn
from uuid import uuid4

import psycopg
import pytest

from mychatflow import cli
from mychatflow import settings as configuration
from mychatflow.local import console
from mychatflow.local.postgres import EmbeddedPostgres
from mychatflow.local.redis import EmbeddedRedis
from mychatflow.settings import Settings
from mychatflow.store import schema
from mychatflow.store.cipher import platform_cipher
from tests import ports, private_words
from tests.architecture.test_docs import PAGES

TESTS = Path(__file__).parents[1]
INLINE = re.compile(r"`(?:\.venv/bin/)?(mychatflow [^`]+)`")
BLOCK = re.compile(r"```sh\n(.*?)```", re.DOTALL)
# Postgres and Redis are all that runs here, and these say so.
WITHOUT_PROCESSES = {
    "doctor": console.DEPENDENCY_DOWN,
    "dlq replay": console.FAILED,
    "instance create": console.PARTIAL,
}
# A page may name a command without what it needs.
MENTION = re.compile(r"mychatflow [a-z]+(?: [a-z]+)?")
# What starts, stops or replaces a whole installation has a test with one of its own.
ELSEWHERE = {
    "up": "local/test_up.py",
    "start": "local/test_up.py",
    "migrate": "local/test_setup.py",
    "backup": "local/test_backup.py",
    "restore": "local/test_restore.py",
    "bench": "local/test_cli.py",
    "keys shred": "local/test_privacy_commands.py",
    # Waits a minute, until every process has heard of the new key.
    "keys rotate": "local/test_privacy_commands.py",
}


def documented() -> list[str]:
    found = set()
    for page in PAGES:
        text = page.read_text()
        lines = [line.partition(" #")[0].strip() for block in BLOCK.findall(text) for line in block.splitlines()]
        found |= {line.removeprefix(".venv/bin/") for line in lines} | set(INLINE.findall(text))
    return sorted(command for command in found if command.startswith("mychatflow "))


def elsewhere(command: str) -> str | None:
    words = command.removeprefix("mychatflow ")
    return next((where for name, where in ELSEWHERE.items() if re.match(rf"{name}\b", words)), None)


@pytest.fixture(scope="module")
def installation() -> Iterator[Settings]:
    """A small demo with its numbers made, as `make up` leaves it; nothing but the servers runs."""
    with pytest.MonkeyPatch.context() as patch, contextlib.ExitStack() as running:
        home = Path(running.enter_context(tempfile.TemporaryDirectory(prefix="mcf-", ignore_cleanup_errors=True)))
        # An installation of somebody else's may stand at the usual ones.
        listening = {name: ports.free() for name in ("web_port", "phone_port", "dashboards_port", "dagster_port")}
        found = Settings(_env_file=None, MYCHATFLOW_DATA_DIR=home, **listening)
        patch.setattr(configuration, "load", lambda: found)
        patch.setattr(os, "execve", _as_a_child)
        for server in (EmbeddedPostgres(found), EmbeddedRedis(found)):
            server.start()
            running.callback(server.stop)
        schema.migrate(found, today=datetime.now(UTC).date())
        for command in (("demo", "--scale", "0.02"), ("rollup",)):
            assert typed(*command) == console.OK
        yield found
        private_words.refuse_in(home)


@pytest.fixture(scope="module")
def values(installation, tmp_path_factory) -> dict[str, str]:
    """What stands for something that only the reader has."""
    home = tmp_path_factory.mktemp("files")
    (home / "policy.yaml").write_text("question_cap: 10\n")
    with psycopg.connect(installation.role_url("engine")) as connection:
        tenant_id, message_id = connection.execute("select tenant_id, message_id from interactions limit 1").fetchone()
        letter = uuid4()
        sealed = platform_cipher(installation.master).encrypt("{}", row_id=letter)
        connection.execute(
            "insert into dead_letters (id, source, session, message_id, reason, payload)"
            " values (%s, 'webhook', 'my-shop', 'a', 'unknown session', %b)",
            (letter, sealed),
        )
    today = datetime.now(UTC).date()
    return {
        "TENANT_ID": str(tenant_id),
        "MESSAGE_ID": message_id,
        "LETTER_ID": str(letter),
        "MESSAGES": str(TESTS / "rules" / "samples" / "intents.jsonl"),
        "POLICY": str(home / "policy.yaml"),
        "MODEL": "claude-haiku-4-5",
        "SINCE": f"{today - timedelta(days=3)}",
        "UNTIL": f"{today}",
        # The table that the reader adds.
        "questions_weekly": "response_times_daily",
    }


def typed(*arguments: str) -> int:
    """The exit code of a command in this process."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("sys.argv", ["mychatflow", *arguments])
        with pytest.raises(SystemExit) as ended:
            cli.main()
    code: int = ended.value.code
    return code


def _as_a_child(program: str, arguments: list[str], environment: dict[str, str]) -> NoReturn:
    """A command that becomes another program must not take the tests with it."""
    raise SystemExit(subprocess.run(arguments, executable=program, env=environment, check=False).returncode)


@pytest.mark.parametrize("command", [each for each in documented() if not elsewhere(each)])
def test_a_command_of_the_pages_does_what_they_say(command, values, monkeypatch):
    line = re.sub("|".join(sorted(values, key=len, reverse=True)), lambda word: values[word[0]], command)
    words, _, given = line.partition(" < ")
    if given:
        monkeypatch.setattr("sys.stdin", io.StringIO(Path(given).read_text()))

    code = typed(*shlex.split(words)[1:])

    is_mention = MENTION.fullmatch(command) and code == console.USAGE
    assert is_mention or code == next((WITHOUT_PROCESSES[name] for name in WITHOUT_PROCESSES if name in command), 0)


def test_what_is_not_typed_here_has_a_test_of_its_own():
    for name, where in ELSEWHERE.items():
        assert name.split()[-1] in (TESTS / where).read_text(), name


@pytest.mark.usefixtures("installation")
def test_a_number_of_nobody_is_refused(capsys):
    code = typed("instance", "create", "--tenant", str(uuid4()), "--session", "nobodys")

    assert code == console.FAILED
    assert "no tenant has the id" in capsys.readouterr().err


def test_a_tenants_id_can_be_looked_up(values, capsys):
    typed("tenant", "list", "--json")

    found = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert values["TENANT_ID"] in {tenant["tenant_id"] for tenant in found}
    assert all(tenant["name"] and tenant["timezone"] for tenant in found)
