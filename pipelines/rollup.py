"""`python -m pipelines.rollup`: brings every number up to now once, publishes it and tells Dagster of it."""

import argparse
import functools
import sys
import time
from datetime import UTC, datetime

import dagster as dg
from sqlalchemy.exc import SQLAlchemyError

from mychatflow import settings as configuration
from pipelines import answers, told
from warehouse import rollup, scores


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="mychatflow rollup", description=__doc__)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args(arguments)
    return answers.run(functools.partial(_rollup, as_json=options.json))


def _rollup(*, as_json: bool) -> int:
    settings, started, at = configuration.load(), time.perf_counter(), datetime.now(UTC)
    answers.say("scoring leads …")
    scored = scores.rescore(settings, at=at)
    answers.say("landing, computing, checking, publishing …")
    done = rollup.rollup(settings, at=at)
    try:
        told.tell(settings, done, scored, at=at)
    except (dg.DagsterError, SQLAlchemyError) as error:
        # The numbers are out: what Dagster remembers of it is the lesser thing.
        answers.say(f"published, but Dagster's pages will not show it: {error}")
    seconds = time.perf_counter() - started
    answers.give(
        {
            "landed": done.landed.row_counts,
            "scores_changed": scored.changed_count,
            "models": {run.model: run.row_count for run in done.runs},
            "restated": sum(run.restated_count for run in done.runs),
            "published": str(done.published.path),
            "version": done.published.version,
            "data_through": done.landed.taken_at,
            "seconds": round(seconds, 3),
        },
        as_json=as_json,
        sentence=(
            f"{done.landed.row_count} rows landed, {len(done.runs)} tables computed, "
            f"published {done.published.path.name} in {seconds:.1f} s"
        ),
    )
    return answers.OK


if __name__ == "__main__":
    sys.exit(answers.stoppable(main))
