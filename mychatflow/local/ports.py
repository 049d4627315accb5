"""Whether a program's port is free, and if not, who holds it."""

import contextlib
import socket
import time
from collections.abc import Iterable

import psutil

from mychatflow.local.console import Failure
from mychatflow.local.programs import Program


def refuse_busy(programs: Iterable[Program], *, patience_seconds: float = 3) -> None:
    """Raise Failure naming port, variable and holder; what a killed predecessor held may still be closing."""
    for program in programs:
        if program.port is None or program.port_variable is None:
            continue
        until = time.monotonic() + patience_seconds
        while not is_free(program.host, program.port):
            if time.monotonic() > until:
                port = f"port {program.port} of {program.name} ({program.port_variable})"
                raise Failure(
                    f"{port} is held by {holder(program.port)}",
                    next_step=f"stop that process, or choose another port: {program.port_variable}=… in .env",
                )
            time.sleep(0.1)


def is_free(host: str, port: int) -> bool:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return False
    return True


def holder(port: int) -> str:
    """The process that listens there, in words."""
    with contextlib.suppress(psutil.Error, OSError):
        for connection in psutil.net_connections("tcp"):
            listens = connection.status == psutil.CONN_LISTEN and connection.laddr and connection.laddr.port == port
            if listens and connection.pid:
                process = psutil.Process(connection.pid)
                return f"{' '.join(process.cmdline()[:6]) or process.name()} (pid {connection.pid})"
    return "another process"
