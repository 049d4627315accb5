"""A server on this machine that speaks S3."""

import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.error import URLError

import pytest

from tests import ports


@contextmanager
def serving(bucket: str) -> Iterator[str]:
    """The address of a server that has that bucket."""
    port = ports.free()
    address = f"http://127.0.0.1:{port}"
    command = [sys.executable, "-m", "moto.server", "--host", "127.0.0.1", "--port", str(port)]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as server:
        try:
            _make_bucket(f"{address}/{bucket}", server)
            yield address
        finally:
            server.terminate()


def _make_bucket(address: str, server: subprocess.Popen[bytes]) -> None:
    while server.poll() is None:
        try:
            urllib.request.urlopen(urllib.request.Request(address, method="PUT"), timeout=60).close()
        except (URLError, ConnectionError, TimeoutError):
            continue
        return
    pytest.fail("the S3 server did not start")
