"""`python -m tests.architecture.advisories`: known holes of what is pinned; says so when nobody can be asked."""

import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

# Its holes are known to every source of advisories: one that does not tell of them tells of none.
_KNOWN_TO_BE_OPEN = "jinja2==2.10"
_PINNED = Path(__file__).parents[2] / "requirements.txt"
_COMMAND = (sys.executable, "-m", "pip_audit", "--format", "json", "--progress-spinner", "off", "--timeout", "20")


class NotToldAnything(Exception):
    """Nobody gave an answer, or none that could be right."""


def main() -> int:
    try:
        found = _ask(_PINNED, "--require-hashes", "--disable-pip")
        _refuse_ignorance()
    except NotToldAnything as error:
        print(f"not audited: {str(error)[:200]}", file=sys.stderr)
        return 0
    holes = _holes(found)
    for name, version, hole in holes:
        print(f"{name} {version}: {hole}")
    print(f"{len(found)} packages, {len(holes)} known holes", file=sys.stderr)
    return 1 if holes else 0


def _refuse_ignorance() -> None:
    with tempfile.NamedTemporaryFile("w", suffix=".txt") as control:
        control.write(_KNOWN_TO_BE_OPEN + "\n")
        control.flush()
        if not _holes(_ask(Path(control.name), "--no-deps", "--disable-pip")):
            raise NotToldAnything(f"the source knows no hole of {_KNOWN_TO_BE_OPEN}, so it knows none")


def _ask(requirements: Path, *how: str) -> list[dict[str, Any]]:
    command = [*_COMMAND, "--requirement", str(requirements), *how]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    try:
        return list(json.loads(done.stdout)["dependencies"])
    except (ValueError, KeyError) as error:
        raise NotToldAnything((done.stderr.strip().splitlines() or ["no answer"])[-1]) from error


def _holes(found: list[dict[str, Any]]) -> list[tuple[str, str, str]]:
    return [(each["name"], each["version"], hole["id"]) for each in found for hole in each.get("vulns", [])]


if __name__ == "__main__":
    sys.exit(main())
