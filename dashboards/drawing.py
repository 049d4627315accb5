"""What all charts share: fonts, axes, lines and marks, as plain dicts."""

from collections.abc import Mapping, Sequence
from datetime import date, datetime, time, timedelta
from typing import Any

from plotly.basedatatypes import BaseFigure

from dashboards import wording
from dashboards.theme import tokens
from dashboards.theme.tokens import Palette

Figure = dict[str, Any]
Rows = Sequence[Mapping[str, Any]]
_LONGEST_NOTE = 32
# Of a chart's width: closer lines share the room for their names; later ones have it on their left.
_CLOSE, _LATE = 0.35, 0.6
_LINE_HEIGHT = 15
# What is marked more densely than that reaches down into the chart.
_MOST_LINES = 4
_FONT = "Inter, system-ui, sans-serif"


class Drawn(BaseFigure):  # type: ignore[misc]  # plotly has no types
    """A figure that Plotly need not check again, which took two thirds of a page: our tests let it check each chart."""

    def __init__(self, figure: Figure) -> None:
        # Not the parent's: it checks every value, which is what this spares.
        self._figure = figure

    def to_dict(self) -> Figure:
        return self._figure


def layout(palette: Palette, height: int) -> Figure:
    return {
        # The default template is the costly part of a figure; everything it would set stands here.
        "template": {"layout": {}},
        "height": height,
        "margin": {"l": 40, "r": 6, "t": 8, "b": 28},
        "paper_bgcolor": "rgba(0,0,0,0)",
        "plot_bgcolor": "rgba(0,0,0,0)",
        "font": font(palette),
        "showlegend": False,
        "hovermode": "x unified",
        "dragmode": False,
        "clickmode": "event+select",
        "hoverlabel": {
            "bgcolor": palette.card,
            "bordercolor": palette.hairline,
            "font": font(palette, ink=True, size=12.5),
        },
    }


def font(palette: Palette, *, ink: bool = False, size: float = 11.5) -> Figure:
    return {"family": _FONT, "size": size, "color": palette.ink if ink else palette.muted}


def axis(palette: Palette) -> Figure:
    return {
        "fixedrange": True,
        "zeroline": False,
        "showline": False,
        "showgrid": False,
        "ticks": "",
        "ticklabelstandoff": 5,
        "tickfont": font(palette),
    }


def counts(palette: Palette, values: Sequence[float], *, ticks: int = 5) -> Figure:
    return axis(palette) | {
        "showgrid": True,
        "gridcolor": palette.grid,
        "range": [0, max(values) * 1.12],
        "nticks": ticks,
        "tickformat": "~s" if max(values) >= 10_000 else ",d",
    }


def times(palette: Palette, highest: float) -> Figure:
    return axis(palette) | {
        "showgrid": True,
        "gridcolor": palette.grid,
        "range": [0, highest * 1.12],
        "nticks": 5,
        "ticksuffix": " s",
    }


def days(palette: Palette, dates: Sequence[date], *, ticks: int = 4, is_bars: bool = False) -> Figure:
    """Ticks on Mondays where weeks fit, so that they stand on the same weekday in every period."""
    wanted = [day for day in dates if day.weekday() == 0] if len(dates) > 10 else list(dates)
    step = max(1, -(-len(wanted) // ticks))
    chosen = wanted[::step]
    ends = [datetime.combine(day, time()) for day in (dates[0], dates[-1])]
    # A bar stands around its date, a line begins on it.
    padding = timedelta(hours=14 if is_bars or len(dates) == 1 else 0)
    return axis(palette) | {
        "type": "date",
        "tickvals": chosen,
        "ticktext": [wording.day(day) for day in chosen],
        "hoverformat": "%a %-d %b",
        "range": [ends[0] - padding, ends[1] + padding],
    }


def hours(palette: Palette, since: datetime, until: datetime) -> Figure:
    """The whole window, however few things happened in it: around one of them the ticks would repeat a minute."""
    return axis(palette) | {
        "type": "date",
        "tickformat": "%H:%M",
        "nticks": 7,
        "hoverformat": "%H:%M",
        "range": [since, until],
    }


def line(name: str, x: Sequence[Any], y: Sequence[Any]) -> Figure:
    return {
        "type": "scatter",
        # Plotly lets points be clicked, never lines: unseen points make the days of a line buttons.
        "mode": "lines+markers",
        "marker": {"size": 12, "opacity": 0},
        "selected": {"marker": {"opacity": 0}},
        "unselected": {"marker": {"opacity": 0}},
        "name": name,
        "x": list(x),
        "y": list(y),
        "connectgaps": False,
        "hovertemplate": "%{y:,}",
    }


def fade(colour: str) -> Figure:
    return {"type": "vertical", "colorscale": [[0, tokens.shade(colour, 0)], [1, tokens.shade(colour, 0.22)]]}


def threshold(value: float, colour: str) -> Figure:
    line = {"color": colour, "width": 1, "dash": "dot"}
    return {"type": "line", "xref": "paper", "x0": 0, "x1": 1, "y0": value, "y1": value, "line": line}


def name_ends(layout: Figure, lines: Mapping[str, Sequence[float | None]], palette: Palette) -> None:
    """Each line's name where it ends, the lowest first: one that would touch the name below it is lifted off."""
    ends = sorted((next(filter(None, reversed(values))), name) for name, values in lines.items() if any(values))
    pixels = _plotted(layout) / layout["yaxis"]["range"][1]
    taken = -_LINE_HEIGHT
    for last, name in ends:
        taken = max(taken + _LINE_HEIGHT, last * pixels)
        layout["annotations"] = [*layout.get("annotations", []), _end(name, last, taken - last * pixels, palette)]


def _end(name: str, last: float, lift: float, palette: Palette) -> Figure:
    return {
        "x": 1,
        "xref": "paper",
        "xanchor": "left",
        "xshift": 6,
        "y": last,
        "yshift": lift,
        "text": name,
        "showarrow": False,
        "font": font(palette),
    }


def mark(layout: Figure, marks: Rows, dates: Sequence[date], palette: Palette) -> None:
    """One dotted line for each marked day, named above the chart; names that stand close go below one another."""
    if not marks:
        return
    by_day: dict[date, list[str]] = {}
    for row in marks:
        # Plotly reads tags in labels.
        _add(by_day, row["local_date"], wording.escaped(_shortened(str(row["text"]))))
    labels, before, lines, most = [], -1.0, 0, 0
    for day, names in sorted(by_day.items()):
        place = (day - dates[0]) / max(dates[-1] - dates[0], timedelta(days=1))
        # One to the right of its line and the next to the left of its own meet in between, if the chart is narrow.
        is_met = place - before < _CLOSE or before <= _LATE < place
        lines = lines if before >= 0 and is_met else 0
        labels.append(_label(day, names, palette, place=place, below=lines))
        before, lines = place, lines + len(names)
        most = max(most, lines)
    top = _room_above(layout, labels, lines=min(most, _MOST_LINES))
    line = {"color": palette.muted, "width": 1, "dash": "dot"}
    shapes = [
        {"type": "line", "x0": day, "x1": day, "yref": "paper", "y0": 0, "y1": top, "line": line} for day in by_day
    ]
    layout["shapes"] = [*layout.get("shapes", []), *shapes]
    layout["annotations"] = [*layout.get("annotations", []), *labels]


def _room_above(layout: Figure, labels: Sequence[Figure], *, lines: int) -> float:
    """Lift the names off what is drawn; where their highest line ends, in heights of the chart below."""
    room = lines * _LINE_HEIGHT
    layout["margin"]["t"] += room
    for label in labels:
        label["yshift"] += room
    return 1 + room / _plotted(layout)


def _plotted(layout: Figure) -> float:
    """How high the room for the lines themselves is."""
    height: float = layout["height"] - layout["margin"]["t"] - layout["margin"]["b"]
    return height


def _label(day: date, names: Sequence[str], palette: Palette, *, place: float, below: int) -> Figure:
    """The names of a day beside its line, on the side where there is room."""
    is_late = place > _LATE
    return {
        "x": day,
        "y": 1,
        "yref": "paper",
        "yanchor": "top",
        "xanchor": "right" if is_late else "left",
        "xshift": -4 if is_late else 4,
        "yshift": -_LINE_HEIGHT * below,
        "align": "right" if is_late else "left",
        "text": "<br>".join(names),
        "showarrow": False,
        "font": font(palette),
    }


def _add(by_day: dict[date, list[str]], day: date, name: str) -> None:
    names = by_day.setdefault(day, [])
    if name not in names:
        names.append(name)


def _shortened(text: str) -> str:
    return text if len(text) <= _LONGEST_NOTE else f"{text[: _LONGEST_NOTE - 1]}…"
