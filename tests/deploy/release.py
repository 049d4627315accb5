"""One release of the product as an operator runs it: its own checkout, its own web and worker, shared servers."""

import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tests.chaos.cluster import CHECKOUT, Program, answers, wait_until

_MIGRATIONS = "mychatflow/store/migrations/versions"


class NoHistory(Exception):
    """The checkout does not hold the older release."""


@dataclass(slots=True)
class Release:
    """Both releases run from one environment: a dependency that changed between them is not part of the proof."""

    name: str
    checkout: Path
    environment: dict[str, str]
    logs: Path
    programs: list[Program] = field(default_factory=list, init=False)

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.environment['WEB_PORT']}"

    def migrate(self) -> None:
        command = [sys.executable, "-m", "mychatflow", "migrate"]
        with self._log("migrate").open("ab") as log:
            subprocess.run(command, env=self.environment, cwd=self.checkout, check=True, stdout=log, stderr=sys.stderr)

    def start(self) -> None:
        for arguments in (("realtime.web",), ("realtime.worker", "--index", "1")):
            log = self._log(arguments[0])
            program = Program(arguments=arguments, log=log, environment=self.environment, checkout=self.checkout)
            program.start()
            self.programs.append(program)
        wait_until(lambda: answers(f"{self.address}/ready"), seconds=60, what=f"the {self.name} release is ready")

    def stop(self) -> None:
        for program in self.programs:
            program.stop()

    def _log(self, module: str) -> Path:
        self.logs.mkdir(parents=True, exist_ok=True)
        return self.logs / f"{self.name}-{module}.log"


def before_the_newest_migration() -> str:
    """The newest revision whose schema ours only adds to. Raises NoHistory."""
    ours = {path.name for path in (CHECKOUT / _MIGRATIONS).glob("0*.py")}
    for changed in _git("log", "--format=%H", "--max-count=50", "--", _MIGRATIONS).split():
        theirs = {
            name for name in _git("ls-tree", "--name-only", f"{changed}^:{_MIGRATIONS}").split() if name[0] == "0"
        }
        if theirs < ours:
            return _git("rev-parse", f"{changed}^")
    return _git("rev-parse", "--verify", "HEAD^")


@contextmanager
def checked_out(revision: str) -> Iterator[Path]:
    """That revision in a directory of its own. Raises NoHistory."""
    with tempfile.TemporaryDirectory(prefix="mcf-release-") as directory:
        archive, checkout = Path(directory) / "release.tar", Path(directory) / "checkout"
        _git("archive", "--output", str(archive), revision)
        checkout.mkdir()
        subprocess.run(["tar", "-xf", archive, "-C", checkout], check=True)
        yield checkout


def _git(*arguments: str) -> str:
    try:
        done = subprocess.run(["git", *arguments], cwd=CHECKOUT, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError) as error:
        raise NoHistory(f"git {' '.join(arguments)}: {getattr(error, 'stderr', error)}") from error
    return done.stdout.strip()
