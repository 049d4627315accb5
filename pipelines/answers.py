"""How the pipeline commands answer: data on stdout, progress on stderr, the product's exit codes."""

import json
import sys
from collections.abc import Callable
from typing import Any

import structlog

from mychatflow.settings import ConfigurationRefused
from warehouse.busy import WarehouseBusy
from warehouse.checks import ChecksFailed
from warehouse.lake import LakeRefused, LakeUnreachable
from warehouse.landing import NothingLanded
from warehouse.models import ModelRefused
from warehouse.postgres import PostgresUnreachable

OK, FAILED, USAGE, DEPENDENCY_DOWN, PARTIAL, REFUSED = 0, 1, 2, 3, 4, 78


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


def complain(message: str, code: int) -> int:
    print(message, file=sys.stderr)
    return code


def say(message: str) -> None:
    """Progress."""
    print(message, file=sys.stderr, flush=True)


def give(answer: dict[str, Any], *, as_json: bool, sentence: str) -> None:
    """The answer itself."""
    print(json.dumps(answer, default=str) if as_json else sentence, flush=True)
