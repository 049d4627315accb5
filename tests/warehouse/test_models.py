"""Every SQL model keeps the rules of its folder, and what a run computes is exactly the days it was asked for."""

import itertools
import re
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path

import duckdb
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from mychatflow.events import EventType
from mychatflow.settings import Settings
from tests.warehouse.history import NOON
from warehouse import checks, column_types, models, replay, rollup, windows
from warehouse.event_fields import EVENT_FIELDS, KEPT_FOR
from warehouse.models import Equation, Model, ModelRefused, Promise
from warehouse.reader import Reader
from warehouse.windows import Window

NAIVE = datetime(2026, 1, 1)  # noqa: DTZ001 — the missing zone is the point
_DAYS = st.dates(min_value=date(2024, 1, 1), max_value=date(2027, 12, 31))
_PROMISE = """
description: Things.
grain: [one]
topic: trust
columns:
  one: One.
"""
# A table's SQL, what its promise says beside the above, and whose fault is named.
_UNBOUND = (
    ("select favourite_colour as one from marts.tenants", {}, r"things\.sql: .*favourite_colour"),
    ("select ('red' || range)::int as one from range(1)", {}, r"things\.sql: .*red0"),
    ("select plan as one from marts.tenants", {"grain": ["two"]}, r"things\.yml: .*two"),
    ("select plan as one from marts.tenants", {"not_null": ["three"]}, r"things\.yml: .*three"),
    (
        "select plan as one from marts.tenants",
        {"equations": [{"name": "it_is_small", "holds": "four < 9"}]},
        r"things\.yml: .*four",
    ),
)


def test_models_run_after_what_they_read() -> None:
    seen: set[str] = set()
    for model in models.discover():
        assert all(name in seen for name in model.reads if name.partition(".")[0] not in {"raw", "meta"}), model.table
        seen.add(model.table)


def test_every_model_promises_its_grain_and_columns() -> None:
    for model in models.discover():
        promise = model.promise
        assert set(promise.grain) <= set(promise.columns) | set(promise.not_null), model.table
        assert model.sql.startswith("-- "), model.table
        assert "-- Grain: " in model.sql, model.table
        if not model.is_view:
            assert promise.not_null, model.table
        if model.layer == "marts":
            assert promise.equations, model.table


def test_every_kind_of_event_is_known_to_the_numbers() -> None:
    (known,) = models.by_name("analytics_events").promise.equations

    assert set(re.findall(r"'(\w+)'", known.holds)) == set(EventType)


@pytest.mark.parametrize(
    ("outcome", "is_closed", "is_kept"),
    [
        ("open", False, True),
        ("open", True, False),
        ("handed_off", True, True),
        ("handed_off", False, False),
        # The turn that meets an empty quota says so at once; the customer still waits.
        ("blocked_by_quota", False, True),
        ("blocked_by_quota", True, True),
    ],
)
def test_an_outcome_comes_with_an_end(outcome: str, is_closed: bool, is_kept: bool) -> None:
    promised = {equation.name: equation.holds for equation in models.by_name("episodes").promise.equations}
    holds = f"({promised['open_episodes_are_not_closed']}) and ({promised['ended_episodes_are_closed']})"
    with duckdb.connect() as warehouse:
        asked = f"select {holds} from (select $outcome as outcome, if($is_closed, now(), null) as closed_at)"
        found = warehouse.execute(asked, {"outcome": outcome, "is_closed": is_closed}).fetchall()

    assert found == [(is_kept,)]


def test_every_field_of_an_event_is_read_or_says_what_it_is_kept_for() -> None:
    files = [file for file in models.SQL_DIRECTORY.rglob("*.sql") if file.parent.name != "staging"]
    written = "\n".join(file.read_text(encoding="utf-8") for file in [*files, Path(replay.__file__)])
    read = set(re.findall(r"\w+", re.sub("--.*", "", written)))

    assert set(EVENT_FIELDS) - read == set(KEPT_FOR)


def test_a_promise_of_its_grain_alone_is_tested_too() -> None:
    promise = Promise.model_validate(yaml.safe_load(_PROMISE))
    model = Model(layer="main", name="things", sql="", promise=promise, reads=())
    with duckdb.connect() as warehouse:
        warehouse.execute("create table things (one integer)")
        found = [checks.test(warehouse, model, where="true")]
        warehouse.execute("insert into things values (1), (2), (2)")
        found += [checks.test(warehouse, model, where="true")]

    assert [[(result.name, result.failed_count) for result in each] for each in found] == [
        [("grain_is_unique", 0)],
        [("grain_is_unique", 1)],
    ]


def test_what_is_unknown_keeps_no_promise() -> None:
    promise = Promise(
        description="Things.",
        grain=("name",),
        topic="trust",
        columns={"name": "Its name."},
        equations=(Equation(name="it_is_small", holds="size < 9"),),
    )
    model = Model(layer="main", name="things", sql="", promise=promise, reads=())
    with duckdb.connect() as warehouse:
        warehouse.execute(
            "create table things as select * from (values ('a', 1), ('b', 9), ('c', null)) as _(name, size)"
        )

        found = checks.test(warehouse, model, where="true")

    assert {result.name: result.failed_count for result in found} == {"grain_is_unique": 0, "it_is_small": 2}


def test_every_column_is_described() -> None:
    for model in models.discover():
        assert list(column_types.of_all()[model.table]) == list(model.promise.columns), model.table


def test_a_model_without_a_promise_is_refused(tmp_path: Path) -> None:
    _write(tmp_path, "staging/stg_things.sql", "select 1 as one from raw.things")

    with pytest.raises(ModelRefused, match=r"stg_things.yml is missing"):
        models.discover(tmp_path)


@pytest.mark.parametrize(
    ("written", "named"),
    [
        (_PROMISE.replace("topic", "topics"), "topic: Field required; topics"),
        (_PROMISE + "\nnot_null: one", "not_null"),
        (_PROMISE + "\n  - one: [", "line"),
        ("", "the file"),
    ],
)
def test_a_promise_that_cannot_be_read_is_refused_by_name(tmp_path: Path, written: str, named: str) -> None:
    _write(tmp_path, "staging/stg_things.sql", "select 1 as one from raw.contacts")
    _write(tmp_path, "staging/stg_things.yml", written)

    with pytest.raises(ModelRefused, match=rf"(?s)^stg_things\.yml: .*{named}"):
        models.discover(tmp_path)


def test_a_model_never_reads_to_its_right(tmp_path: Path) -> None:
    _write(tmp_path, "staging/stg_things.sql", "select 1 as one from marts.things")
    _write(tmp_path, "staging/stg_things.yml", _PROMISE)

    with pytest.raises(ModelRefused, match="only its own layer"):
        models.discover(tmp_path)


def test_a_model_that_is_no_select_is_refused(tmp_path: Path) -> None:
    _write(tmp_path, "staging/stg_things.sql", "delete from raw.things")
    _write(tmp_path, "staging/stg_things.yml", _PROMISE)

    with pytest.raises(ModelRefused, match="SELECT"):
        models.discover(tmp_path)


def test_a_model_that_reads_what_does_not_land_is_refused(tmp_path: Path) -> None:
    _write(tmp_path, "staging/stg_things.sql", "select favourite_colour as one from raw.contacts")
    _write(tmp_path, "staging/stg_things.yml", _PROMISE)

    with pytest.raises(ModelRefused, match=r"(?s)stg_things\.sql.*favourite_colour"):
        column_types.of_all(tmp_path)


def test_what_does_not_bind_is_told_of_its_file(installation: Settings) -> None:
    rollup.rollup(installation, at=NOON)

    for sql, told, named in _UNBOUND:
        promise = Promise.model_validate(yaml.safe_load(_PROMISE) | told)
        model = Model(layer="marts", name="things", sql=sql, promise=promise, reads=("marts.tenants",))
        with pytest.raises(ModelRefused, match=rf"(?s)^{named}"):
            rollup.compute(installation, at=NOON, window=windows.of_days(NOON.date(), NOON.date()), only=[model])


@given(st.sets(_DAYS, max_size=60))
def test_ranges_hold_exactly_their_days(days: set[date]) -> None:
    found = windows.ranges(days)

    held = [day for window in found for day in windows.days_of(window)]
    assert held == sorted(days)
    gaps = itertools.pairwise(found)
    assert all(before.end < after.start for before, after in gaps)


@given(
    st.datetimes(timezones=st.just(UTC)).filter(lambda at: 1990 < at.year < 2100),
    st.timedeltas(timedelta(microseconds=1), timedelta(days=9)),
)
def test_a_covering_window_holds_every_instant(start: datetime, length: timedelta) -> None:
    found = windows.covering(start, start + length)

    assert found.start <= start
    assert found.end >= start + length
    assert found.days <= length / timedelta(days=1) + 2
    assert found.start.time() == found.end.time() == time()


def test_a_window_without_a_zone_is_refused() -> None:
    with pytest.raises(ValueError, match="zone"):
        Window(start=NAIVE, end=NAIVE + timedelta(days=1))


def _write(directory: Path, name: str, text: str) -> None:
    path = directory / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def test_a_table_is_computed_where_no_other_is_yet(installation: Settings, published: Reader) -> None:
    only = models.with_views(["contact_activity_daily"])
    rollup.rollup(installation, at=NOON, window=windows.covering(NOON, NOON + timedelta(hours=1)), only=only)

    assert published.rows("select count(*) as n from contact_activity_daily") == [{"n": 0}]
