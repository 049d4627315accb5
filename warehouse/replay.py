"""Scores every contact again from history alone, as of any instant: for proofs and for what-if."""

from datetime import datetime
from typing import Any

import duckdb

from warehouse import questions
from warehouse.models import SQL_DIRECTORY

_LEAD_SCORES = SQL_DIRECTORY / "replays" / "lead_scores.sql"


def lead_scores(warehouse: duckdb.DuckDBPyConnection, *, as_of: datetime) -> list[dict[str, Any]]:
    """One row per contact with every part of its score; needs the staging views of a first rollup."""
    sql = questions.with_parameters(_LEAD_SCORES.read_text(encoding="utf-8"))
    cursor = warehouse.execute(sql, {"as_of": as_of})
    names = [column[0] for column in cursor.description or ()]
    return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]
