"""How the pipeline commands answer: data on stdout, progress on stderr, the product's exit codes."""

import json
import os
import sys
from collections.abc import Callable
from concurrent import futures
from typing import Any

import structlog

from mychatflow.settings import ConfigurationRefused
from warehouse.busy import WarehouseBusy
from warehouse.checks import ChecksFailed
from warehouse.lake import LakeRefused, LakeUnreachable
from warehouse.landing import NothingLanded
from warehouse.models import ModelRefused
from warehouse.postgres import PostgresUnreachable

OK, FAILED, USAGE, DEPENDENCY_DOWN, PARTIAL, REFUSED, STOPPED = 0, 1, 2, 3, 4, 78, 130


def run(command: Callable[[], int]) -> int:
    """The command's exit code; every expected failure is one sentence on stderr, never a traceback."""
    # Answers own stdout, so that `--json` is nothing but JSON.
    # Looked up at each line: the stream that stands there now may be closed by then.
    structlog.configure(logger_factory=lambda *_: structlog.PrintLogger(sys.stderr))
    try:
        return command()
    except ModelRefused as error:
        return complain(str(error), USAGE)
    except (ChecksFailed, NothingLanded) as error:
        return complain(str(error), FAILED)
    except (PostgresUnreachable, LakeUnreachable, WarehouseBusy) as error:
        return complain(str(error), DEPENDENCY_DOWN)
    except (ConfigurationRefused, LakeRefused) as error:
        return complain(str(error), REFUSED)
    except OSError as error:
        if error.filename is None:
            raise
        step = "let this user write there, or choose another folder: MYCHATFLOW_DATA_DIR=… in .env"
        return complain(f"{error.filename}: {error.strerror}; {step}", FAILED)


def stoppable(command: Callable[[], int]) -> int:
    """The command's exit code; Ctrl-C ends it where it stands, in one sentence."""
    # Where signals arrive, in the main thread, DuckDB and Dagster would each make a page of errors of it.
    working = futures.ThreadPoolExecutor(max_workers=1).submit(command)
    try:
        while not working.done():
            # It looks up twice a second: a signal that another thread was given does not wake this one.
            futures.wait([working], timeout=0.5)
        return working.result()
    except KeyboardInterrupt:
        # As safe as a kill: what a run was at is whole or was never there.
        say("stopped; nothing is half done, and readers have the numbers of the last publication")
        os._exit(STOPPED)


def complain(message: str, code: int) -> int:
    print(message, file=sys.stderr)
    return code


def say(message: str) -> None:
    """Progress."""
    print(message, file=sys.stderr, flush=True)


def give(answer: dict[str, Any], *, as_json: bool, sentence: str) -> None:
    """The answer itself."""
    try:
        print(json.dumps(answer, default=str) if as_json else sentence, flush=True)
    except BrokenPipeError:
        # Who has read enough, as `head` has, is told no more; what was done is done.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
