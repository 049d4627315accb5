"""What Postgres refuses it repeats in the error; no log line and no error report passes a person's words on."""

import json

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
