"""`mychatflow doctor`: is this installation well, and if not, what to do."""

from dataclasses import asdict
from typing import Annotated

import typer
from rich.markup import escape

from mychatflow.local import checkup, console
from mychatflow.local.checkup import Finding
from mychatflow.local.commands import loading

app = typer.Typer(add_completion=False)
_COLOURS = {"ok": "green", "warning": "yellow", "failed": "red", "down": "red"}


@app.command()
def doctor(as_json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False) -> None:
    """Check configuration, keys, disk, Postgres, the tenant wall, Redis, the gateway, the programs and freshness.

    Exit code 0 when all is well, 1 when something is wrong, 3 when something does not answer.
    """
    findings = checkup.examine(loading.settings())
    code = verdict(findings)
    if as_json:
        console.give_json({"ok": code == console.OK, "findings": [asdict(found) for found in findings]})
    else:
        width = max(len(found.check) for found in findings)
        for found in findings:
            step = f"  → {escape(found.next_step)}" if found.next_step else ""
            mark = f"[{_COLOURS[found.verdict]}]{found.verdict:<8}[/]"
            line = f"{mark} {found.check:<{width}}  {escape(found.detail)}[dim]{step}[/]"
            console.out.print(line, highlight=False)
    raise typer.Exit(code)


def verdict(findings: list[Finding]) -> int:
    """What is wrong outweighs what is down: it would still be wrong when everything answers."""
    verdicts = {found.verdict for found in findings}
    if "failed" in verdicts:
        return console.FAILED
    return console.DEPENDENCY_DOWN if "down" in verdicts else console.OK
