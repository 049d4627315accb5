"""Machines on one desk: network namespaces on a bridge, each with an address and nothing shared but the wire."""

import contextlib
import os
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

HOST: Final = "10.77.0.1"
_BRIDGE: Final = "mcf0"


@dataclass(frozen=True, slots=True)
class Machine:
    """One namespace; `cut` takes its cable out, its processes live on."""

    number: int

    @property
    def name(self) -> str:
        return f"mcf{self.number}"

    @property
    def address(self) -> str:
        return f"10.77.0.{self.number}"

    @property
    def prefix(self) -> list[str]:
        """What a command line begins with to run there."""
        return ["ip", "netns", "exec", self.name]

    def cut(self) -> None:
        _ip("link", "set", self._cable, "down")

    def join(self) -> None:
        _ip("link", "set", self._cable, "up")

    @property
    def _cable(self) -> str:
        return f"mcfv{self.number}"

    def build(self) -> None:
        _ip("netns", "add", self.name)
        _ip("link", "add", self._cable, "type", "veth", "peer", "name", "eth0", "netns", self.name)
        _ip("link", "set", self._cable, "master", _BRIDGE, "up")
        for arguments in (("link", "set", "lo", "up"), ("link", "set", "eth0", "up")):
            _ip("-n", self.name, *arguments)
        _ip("-n", self.name, "addr", "add", f"{self.address}/24", "dev", "eth0")


def is_possible() -> bool:
    """Namespaces need the administrator of a Linux with iproute2."""
    return os.geteuid() == 0 and shutil.which("ip") is not None


@contextlib.contextmanager
def machines(*numbers: int) -> Iterator[list[Machine]]:
    """On a bridge whose near end is HOST; all of it is gone afterwards."""
    made = [Machine(number) for number in numbers]
    try:
        _ip("link", "add", _BRIDGE, "type", "bridge")
        _ip("addr", "add", f"{HOST}/24", "dev", _BRIDGE)
        _ip("link", "set", _BRIDGE, "up")
        for machine in made:
            machine.build()
        yield made
    finally:
        for arguments in (*(("netns", "del", machine.name) for machine in made), ("link", "del", _BRIDGE)):
            subprocess.run(["ip", *arguments], capture_output=True, check=False)


def _ip(*arguments: str) -> None:
    subprocess.run(["ip", *arguments], check=True, capture_output=True)
