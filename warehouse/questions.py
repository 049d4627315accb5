"""The SQL of every question, one file each beside the models, read once and asked with named values."""

import functools
import re
from typing import Any

from warehouse import reader
from warehouse.models import SQL_DIRECTORY

Row = dict[str, Any]
_VARIABLE = re.compile(r"getvariable\('(\w+)'\)")


def ask(question: str, **values: Any) -> list[Row]:
    """The rows that answer it. Raises reader.NothingPublished."""
    return reader.current().rows(_sql(question), values)


@functools.cache
def _sql(question: str) -> str:
    return with_parameters((SQL_DIRECTORY / "reads" / f"{question}.sql").read_text(encoding="utf-8"))


def with_parameters(sql: str) -> str:
    """The files name their values the way models name the window; bound as parameters, they need no session."""
    return _VARIABLE.sub(r"$\1", sql)
