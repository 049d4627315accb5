"""What a database holds: asked over one connection that stays, since whoever waits for a state asks fifty times."""

from collections.abc import Mapping, Sequence
from typing import Any

import psycopg
from psycopg.rows import dict_row

_open: dict[str, psycopg.Connection[dict[str, Any]]] = {}


def rows(url: str, sql: str, parameters: Sequence[Any] | Mapping[str, Any] = ()) -> list[dict[str, Any]]:
    """Each statement is a transaction of its own."""
    if url in _open:
        try:
            return _open[url].execute(sql, parameters).fetchall()
        except psycopg.OperationalError:
            # The test killed the server meanwhile: the connection is of the one before.
            _open.pop(url).close()
    # No plan is kept, since a test may change the tables.
    _open[url] = psycopg.connect(url, autocommit=True, prepare_threshold=None, row_factory=dict_row)
    return _open[url].execute(sql, parameters).fetchall()


def hang_up() -> None:
    """Before a database goes."""
    while _open:
        _open.popitem()[1].close()
