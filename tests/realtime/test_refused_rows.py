"""What Postgres refuses it repeats in the error; no log line and no error report passes a person's words on."""

import json
import subprocess
import sys

import psycopg
import pytest
import sqlalchemy.exc
import structlog
from sqlalchemy import text

from mychatflow.local import logs
from mychatflow.store.session import Store
from realtime.error_reports import scrubbed

_TABLE = """
create temporary table guests (name text unique, age integer, constraint grown_up check (age > 17)) on commit drop
"""
_FILLED = "insert into guests values (:name, 40)"
_NAME = "Ann\n\nMiller"


@pytest.mark.parametrize(
    ("statement", "kept"),
    [
        ("insert into guests values (:name, 7)", "grown_up"),
        (_FILLED, "guests_name_key"),
        ("insert into guests values ('x', cast(cast(:name as text) as integer))", "InvalidTextRepresentation"),
    ],
)
async def test_a_refused_row_is_in_no_log_and_no_report(store: Store, statement: str, kept: str) -> None:
    async with store.platform_transaction() as transaction:
        await transaction.execute(text(_TABLE))
        await transaction.execute(text(_FILLED), {"name": _NAME})
        with pytest.raises(sqlalchemy.exc.DBAPIError) as refused:
            await transaction.execute(text(statement), {"name": _NAME})

    error = refused.value
    assert isinstance(error.orig, psycopg.Error)
    assert "Miller" in str(error)
    logged = structlog.processors.format_exc_info(None, "error", {"event": "turn failed", "exc_info": error})
    line = json.dumps(logs.redact(None, "error", logged))
    told = [{"type": type(each).__name__, "value": str(each)} for each in (error, error.orig)]
    report = json.dumps(scrubbed({"exception": {"values": told}}, {}))
    for written in (line, report):
        assert "Miller" not in written
        assert kept in written
    # Where it happened is still there.
    assert "test_refused_rows.py" in line


def test_no_line_of_the_dashboards_shows_the_rest_of_a_refused_row() -> None:
    program = """
import structlog
from mychatflow.local import json_lines, logs
json_lines.put_before("dashboards")
logs.speak_plainly()
try:
    raise ValueError("refused\\nDETAIL:  Failing row contains (Ann\\n\\nMiller, 7).")
except ValueError as error:
    structlog.get_logger("dashboards.states").error("page broke", exc_info=error, page="leads")
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60)

    written = "\n".join(json.loads(line)["message"] for line in done.stderr.splitlines())
    assert "Miller" not in written
    for kept in ("page broke", "leads", "ValueError: refused", "Traceback"):
        assert kept in written
