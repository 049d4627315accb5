"""One installation on this machine: its lock, servers, schema and programs, from nothing to running and back."""

import fcntl
import functools
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from mychatflow.local import backup, leftovers, process, programs
from mychatflow.local.console import DEPENDENCY_DOWN, Failure, say
from mychatflow.local.postgres import EmbeddedPostgres
from mychatflow.local.programs import Program
from mychatflow.local.redis import EmbeddedRedis
from mychatflow.local.supervisor import Spec, Supervisor
from mychatflow.settings import DATABASE, Settings

FIRST_STEPS = "first-steps"
# Who takes messages in goes first, who keeps them goes last.
_STOP_ORDER = (
    (FIRST_STEPS, "dagster", "dashboards", "web"),
    tuple(f"worker-{index}" for index in range(1, 65)),
    ("phone",),
    ("redis",),
    ("wal-stream",),
    ("postgres",),
)


class Installation:
    """Everything `mychatflow up` runs."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._environment = programs.environment(settings)
        self.supervisor = Supervisor(settings.run_dir, tell=say)

    @contextmanager
    def lock(self) -> Iterator[None]:
        """Raises Failure when another `up` holds this data directory; the kernel frees it if we are killed."""
        path = self._settings.run_dir / "up.lock"
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            pid = os.read(descriptor, 20).decode().strip() or "unknown"
            os.close(descriptor)
            raise Failure(
                f"MyChatFlow already runs on {self._settings.data_dir} (pid {pid})",
                next_step=f"use that one, stop it with: kill {pid}, or set MYCHATFLOW_DATA_DIR and other ports",
            ) from error
        try:
            os.ftruncate(descriptor, 0)
            os.write(descriptor, f"{os.getpid()}\n".encode())
            yield
        finally:
            os.close(descriptor)

    def start_servers(self) -> None:
        """The embedded ones where no URL is set; raises Failure when one does not come up."""
        leftovers.see_ended(self._settings)
        try:
            self._start_servers()
        except process.ServerFailed as failed:
            raise Failure(str(failed), next_step=failed.next_step, exit_code=DEPENDENCY_DOWN) from failed

    def _start_servers(self) -> None:
        settings = self._settings
        postgres, redis = EmbeddedPostgres(settings), EmbeddedRedis(settings)
        if settings.is_embedded_redis:
            say("starting Redis …")
            self.supervisor.adopt(Spec(name="redis", launch=redis.launch), redis.launch())
        if settings.is_embedded_database:
            say("starting Postgres …" if (postgres.data_dir / "PG_VERSION").exists() else "making the database …")
            # SIGINT is Postgres's fast and clean shutdown.
            spec = Spec(name="postgres", launch=postgres.launch, stop_signal=signal.SIGINT, patience_seconds=30)
            self.supervisor.adopt(spec, postgres.launch())
            postgres.finish_start()
        if settings.is_embedded_redis:
            redis.finish_start()

    def start_wal_stream(self) -> None:
        """The copy of the log, where one is wanted: what a lost disk would take with it is seconds."""
        if self._settings.wal_dir is None or not self._settings.is_embedded_database:
            return
        try:
            backup.make_stream_ready(self._settings)
        except backup.BackupFailed as failed:
            raise Failure(f"the log cannot be copied to WAL_DIR: {failed}", next_step="check WAL_DIR") from failed
        command, environment = backup.stream_command(self._settings)
        launch = functools.partial(self._launch, "wal-stream", command, environment)
        self.supervisor.start(Spec(name="wal-stream", launch=launch, stop_signal=signal.SIGINT, patience_seconds=10))

    def migrate(self) -> None:
        """In a process of its own: what it takes to migrate would stay in ours for as long as we run."""
        say("bringing the database to the newest version …")
        command = [sys.executable, "-m", "mychatflow", "migrate", "--json"]
        done = subprocess.run(command, env=self._environment, stdout=subprocess.DEVNULL, check=False)
        if done.returncode != 0:
            raise Failure(
                "the database is not at the newest version",
                next_step="do what the error above says, then: mychatflow up",
                exit_code=done.returncode,
            )

    def start(self, program: Program) -> None:
        """Start that program and keep it running."""

        def launch() -> subprocess.Popen[bytes]:
            if program.alive is not None:
                # What the one before it left says nothing of this one.
                program.alive.unlink(missing_ok=True)
            return self._launch(program.name, program.command)

        patience = 6 if program.name == "dagster" else 25
        self.supervisor.start(Spec(name=program.name, launch=launch, patience_seconds=patience))

    def start_first_steps(self, *, demo: bool) -> None:
        """Demo data and a first roll-up, beside everything else."""
        command = [sys.executable, "-m", "mychatflow.local.first_steps", *(["--demo"] if demo else [])]
        launch = functools.partial(self._launch, FIRST_STEPS, command)
        self.supervisor.start(Spec(name=FIRST_STEPS, launch=launch, once=True, patience_seconds=5))

    def write_addresses(self, running: Sequence[Program]) -> None:
        """run/addresses.json, for the phone page, for scripts and for tests."""
        settings = self._settings
        addresses = {program.name: program.address for program in running if program.address}
        if "web" in addresses:
            addresses |= {
                "docs": f"{addresses['web']}/api/docs",
                "webhook": f"{addresses['web']}/api/webhooks/whatsapp",
            }
        if settings.is_embedded_redis:
            addresses["redis"] = settings.redis_address
        if settings.is_embedded_database:
            addresses["postgres"] = f"postgresql:///{DATABASE}?host={settings.socket_dir}"
        draft = settings.run_dir / ".addresses.json"
        draft.write_text(json.dumps(addresses, indent=2) + "\n")
        draft.replace(settings.run_dir / "addresses.json")

    def stop(self) -> None:
        self.supervisor.stop(_STOP_ORDER)
        (self._settings.run_dir / "addresses.json").unlink(missing_ok=True)

    def _launch(
        self, name: str, command: list[str], environment: dict[str, str] | None = None
    ) -> subprocess.Popen[bytes]:
        started = process.spawn(
            command,
            log=self._settings.logs_dir / f"{name}.log",
            environment=environment or self._environment,
            cwd=programs.CHECKOUT,
        )
        process.write_pid(self._settings.run_dir / f"{name}.pid", started.pid)
        return started
