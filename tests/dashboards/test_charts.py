"""Rows in, figure out: what a chart shows, without a browser."""

import ast
import json
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import plotly.graph_objects as go
import plotly.io
import pytest

from dashboards import charts
from dashboards.drawing import Drawn
from dashboards.theme.tokens import DARK, LIGHT, Palette

DAYS = [date(2026, 10, 26) + timedelta(days=index) for index in range(28)]
MESSAGES = [{"local_date": day, "message_received_count": 100 + index} for index, day in enumerate(DAYS)]
REPLIES = [{"local_date": day, "p50_ms": 1000, "p95_ms": 2000, "p99_ms": 3000} for day in DAYS]
CELLS = [{"iso_weekday": weekday, "hour": hour, "message_count": hour} for weekday in range(1, 8) for hour in range(24)]
BY_PROVIDER = [
    {"local_date": day, "provider": name, "reply_count": count}
    for day in DAYS
    for name, count in (("gemini", 5), ("openai", 90))
]
GRADES = [{"grade": grade, "contact_count": index * 10} for index, grade in enumerate("ABCDF")]
NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
SLOTS = [{"at": NOW + timedelta(minutes=5 * index), "value": float(index)} for index in range(10)]
WINDOW = {"since": NOW - timedelta(hours=6), "until": NOW}
OUTCOMES = [{"local_date": DAYS[0], "outcome": "autonomous", "episode_count": 3}]


def every_figure(palette: Palette) -> dict[str, dict[str, Any]]:
    incident = [{"local_date": DAYS[12], "text": "OpenAI incident"}]
    return {
        "messages": charts.messages_per_day(MESSAGES, MESSAGES, palette=palette, marks=incident),
        "reply_time": charts.reply_time(REPLIES, palette=palette, target_seconds=2.5, marks=incident),
        "heatmap": charts.heatmap(CELLS, palette=palette, weeks=4),
        "providers": charts.providers(BY_PROVIDER, period_dates=DAYS, palette=palette),
        "grades": charts.grades(GRADES, palette=palette, chosen="B"),
        "area": charts.area(SLOTS, at="at", value="value", **WINDOW, palette=palette, unit="waiting"),
        "breaches": breaches(SLOTS, palette),
        "outcomes": charts.outcomes(OUTCOMES, order={"autonomous": "#000000"}, period_dates=DAYS, palette=palette),
    }


def breaches(slots: list[dict[str, Any]], palette: Palette) -> dict[str, Any]:
    return charts.breaches(
        slots, at="at", value="value", limit=5, slot=timedelta(minutes=5), **WINDOW, palette=palette, unit="s"
    )


@pytest.mark.parametrize("palette", [LIGHT, DARK], ids=["light", "dark"])
def test_every_figure_is_one_plotly_accepts(palette: Palette) -> None:
    for name, figure in every_figure(palette).items():
        assert go.Figure(figure).data, name


def test_a_figure_that_is_not_checked_is_sent_as_it_would_be() -> None:
    for figure in every_figure(LIGHT).values():
        checked, sent = (json.loads(plotly.io.to_json(each)) for each in (go.Figure(figure), Drawn(figure)))
        for each in (checked, sent):
            # Plotly names the kinds of traces that its templates know; ours knows none.
            each["layout"].pop("template")
        assert sent == checked


@pytest.mark.parametrize("palette", [LIGHT, DARK], ids=["light", "dark"])
def test_charts_stand_on_the_page_alone(palette: Palette) -> None:
    for name, figure in every_figure(palette).items():
        layout = figure["layout"]
        assert layout["paper_bgcolor"] == "rgba(0,0,0,0)", name
        assert layout["xaxis"]["fixedrange"], name
        assert layout["template"] == {"layout": {}}, name


def test_no_figure_names_an_outside_address() -> None:
    written = json.dumps(every_figure(LIGHT), default=str)

    assert "http" not in written


def test_the_previous_period_lies_on_the_same_days() -> None:
    before = [row | {"message_received_count": 1} for row in MESSAGES]

    dashed, solid = charts.messages_per_day(MESSAGES, before, palette=LIGHT)["data"]

    assert dashed["line"]["dash"] == "dash"
    assert dashed["x"] == solid["x"]


def test_a_day_without_replies_is_a_gap() -> None:
    silent: dict[str, Any] = {"local_date": DAYS[3], "p50_ms": None, "p95_ms": None, "p99_ms": None}
    rows: list[dict[str, Any]] = [*REPLIES[:3], silent, *REPLIES[4:]]

    figure = charts.reply_time(rows, palette=LIGHT, target_seconds=5)

    assert all(trace["y"][3] is None for trace in figure["data"])
    assert not any(trace["connectgaps"] for trace in figure["data"])


def test_one_single_day_can_be_drawn() -> None:
    figure = charts.messages_per_day(MESSAGES[:1], [], palette=LIGHT)

    first, last = figure["layout"]["xaxis"]["range"]
    assert first < last


def test_names_of_lines_that_end_together_do_not_touch() -> None:
    rows = [row | {"p50_ms": 1900, "p95_ms": 2000, "p99_ms": 2010} for row in REPLIES]

    layout = charts.reply_time(rows, palette=LIGHT, target_seconds=5)["layout"]

    plotted = layout["height"] - layout["margin"]["t"] - layout["margin"]["b"]
    highest = layout["yaxis"]["range"][1]
    places = {label["text"]: label["y"] / highest * plotted + label["yshift"] for label in layout["annotations"]}
    assert places["p95"] - places["p50"] >= 15
    assert places["p99"] - places["p95"] >= 15
    assert places["p99"] < plotted


def test_the_target_shows_only_when_near() -> None:
    assert "shapes" in charts.reply_time(REPLIES, palette=LIGHT, target_seconds=2.5)["layout"]
    assert "shapes" not in charts.reply_time(REPLIES, palette=LIGHT, target_seconds=50)["layout"]


def test_the_week_has_a_cell_for_each_hour() -> None:
    trace = charts.heatmap(CELLS, palette=LIGHT, weeks=4)["data"][0]

    assert len(trace["x"]) == 168
    assert trace["customdata"][0][:2] == [1, 0]
    assert trace["marker"]["color"][0] == LIGHT.heat[0]
    assert trace["marker"]["color"][23] == LIGHT.heat[5]


def test_a_silent_week_is_all_light() -> None:
    silent = [row | {"message_count": 0} for row in CELLS]

    assert set(charts.heatmap(silent, palette=DARK, weeks=1)["data"][0]["marker"]["color"]) == {DARK.heat[0]}


def test_only_breaching_bars_are_coral() -> None:
    colours = breaches(SLOTS, LIGHT)["data"][0]["marker"]["color"]

    assert colours.count(LIGHT.coral) == 4
    assert set(colours[:6]) == {LIGHT.previous}


def test_a_bar_alone_stands_in_its_hours() -> None:
    figure = breaches(SLOTS[:1], LIGHT)

    assert figure["layout"]["xaxis"]["range"] == [NOW - timedelta(hours=6), NOW]
    assert figure["data"][0]["width"] == 0.75 * 5 * 60_000


def test_the_busiest_provider_stands_at_the_bottom() -> None:
    figure = charts.providers(BY_PROVIDER, period_dates=DAYS, palette=LIGHT)

    assert [trace["name"] for trace in figure["data"]] == ["OpenAI", "Gemini"]
    assert figure["layout"]["legend"]["traceorder"] == "normal"


def _labels(*marked: tuple[int, str]) -> list[dict[str, Any]]:
    marks = [{"local_date": DAYS[day], "text": text} for day, text in marked]
    found: list[dict[str, Any]] = charts.messages_per_day(MESSAGES, [], palette=LIGHT, marks=marks)["layout"][
        "annotations"
    ]
    return found


def test_an_incident_is_named_once_a_day() -> None:
    assert [label["text"] for label in _labels((2, "OpenAI incident"), (2, "OpenAI incident"))] == ["OpenAI incident"]


def test_names_of_marked_days_never_overlap() -> None:
    first, second, third = _labels((0, "Version 1"), (1, "A new price list"), (len(DAYS) - 1, "Closed for repairs"))

    # The last two face each other across a chart that may be as narrow as a phone.
    assert (second["xanchor"], third["xanchor"]) == ("left", "right")
    assert [first["yshift"] - label["yshift"] for label in (second, third)] == [15, 30]


def test_names_of_days_far_apart_share_a_line() -> None:
    first, second = _labels((0, "Version 1"), (len(DAYS) // 2, "A new price list"))

    assert first["xanchor"] == second["xanchor"] == "left"
    assert first["yshift"] == second["yshift"]


def test_the_name_of_a_marked_day_stands_above_what_is_drawn() -> None:
    names = [{"local_date": DAYS[5], "text": text} for text in ("OpenAI incident", "Other models answered: 214 min")]
    layout = charts.reply_time(REPLIES, palette=LIGHT, target_seconds=2.5, marks=names)["layout"]

    label = next(each for each in layout["annotations"] if each.get("yref") == "paper")
    line = layout["shapes"][-1]
    # From the top of the chart up: two lines of fifteen, for which the margin has room.
    assert label["yshift"] == 30 < layout["margin"]["t"]
    drawn = layout["height"] - layout["margin"]["t"] - layout["margin"]["b"]
    assert (line["y1"] - 1) * drawn == pytest.approx(30)


def test_every_chart_and_table_says_in_words_what_it_shows() -> None:
    """For who hears the page: a canvas and a drawing say nothing by themselves."""
    pages = [ast.parse(path.read_text(encoding="utf-8")) for path in Path(charts.__file__).parent.rglob("*.py")]
    calls = [node for page in pages for node in ast.walk(page) if isinstance(node, ast.Call)]
    drawn = [call for call in calls if ast.unparse(call.func) in {"st.dataframe", "st.plotly_chart", "st.data_editor"}]

    assert len(drawn) > 8
    assert [ast.unparse(call) for call in drawn if "alt" not in {keyword.arg for keyword in call.keywords}] == []
