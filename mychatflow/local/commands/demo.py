"""`mychatflow demo`: three businesses with 120 days of history, so that there is something to see."""

import time
from datetime import UTC, datetime
from typing import Annotated

import psycopg
import typer

from mychatflow.local import console
from mychatflow.local.commands import database, loading
from mychatflow.local.console import Failure
from mychatflow.local.demo import generate, sessions
from mychatflow.local.demo import store as demo_store

app = typer.Typer(add_completion=False)


@app.command()
def demo(
    seed: Annotated[int, typer.Option(help="The same seed and instant give the same history.")] = generate.DEFAULT_SEED,
    until: Annotated[datetime | None, typer.Option(help="When the history ends; now unless told.")] = None,
    scale: Annotated[float, typer.Option(min=0.01, max=3, help="Share of the usual number of customers.")] = 1.0,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False,
) -> None:
    """Write the demo where there is none: a dental practice, a hotel and a shop, in three time zones."""
    settings = loading.settings()
    if settings.is_production:
        raise Failure("made-up customers have no place in production", exit_code=console.REFUSED)
    ends = datetime.now(UTC) if until is None else until.replace(tzinfo=until.tzinfo or UTC)
    started = time.perf_counter()
    console.say("writing three demo businesses …")
    try:
        written = demo_store.write(settings, until=ends, seed=seed, scale=scale)
    except psycopg.OperationalError as error:
        raise database.down(settings, error) from error
    except psycopg.errors.UndefinedTable as error:
        raise Failure("the database holds no tables yet", next_step="mychatflow migrate") from error
    seconds = time.perf_counter() - started
    registered = sessions.register(settings)
    if as_json:
        console.give_json({"written": written.counts, "sessions": registered, "seconds": round(seconds, 2)})
    elif written.is_new:
        events, contacts = written.counts["analytics_events"], written.counts["contacts"]
        console.out.print(f"wrote {contacts:,} contacts and {events:,} events in {seconds:.1f} s", highlight=False)
        console.say("next: mychatflow rollup computes the numbers")
    else:
        console.out.print("the demo is here already; nothing was written", highlight=False)
