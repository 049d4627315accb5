"""`mychatflow bench NAME…`: runs the programs in benchmarks/, one after the other."""

import subprocess
import sys
from typing import Annotated

import typer

from mychatflow.local import console, programs
from mychatflow.local.commands import loading
from mychatflow.local.console import Failure

app = typer.Typer(add_completion=False)


@app.command()
def bench(
    names: Annotated[list[str] | None, typer.Argument(help="Which to run; all of them when none is named.")] = None,
) -> None:
    """Run benchmarks; each prints a table on stderr and one line of JSON on stdout."""
    known = _known()
    wanted = names or known
    unknown = [name for name in wanted if name not in known]
    if unknown:
        raise Failure(
            f"no benchmark is called {', '.join(unknown)}",
            next_step=f"mychatflow bench {' '.join(known)}",
            exit_code=console.USAGE,
        )
    environment = programs.environment(loading.settings())
    failed = []
    for name in wanted:
        console.say(f"benchmark {name} …")
        done = subprocess.run([sys.executable, "-m", f"benchmarks.{name}"], env=environment, check=False)
        if done.returncode != 0:
            failed.append(name)
    if failed:
        code = console.FAILED if len(failed) == len(wanted) else console.PARTIAL
        raise Failure(f"failed: {', '.join(failed)}", exit_code=code)


def _known() -> list[str]:
    """The modules of benchmarks/ that measure: beside them stand the load and the doors that they start."""
    files = sorted((programs.CHECKOUT / "benchmarks").glob("*.py"))
    return [file.stem for file in files if "report.show(" in file.read_text() and file.stem != "report"]
