"""Rows in, figure out: every chart as a plain dict, tested without a browser and cheap to make."""

from collections.abc import Mapping, Sequence
from datetime import date, datetime, timedelta

from dashboards import drawing, wording
from dashboards.drawing import Figure, Rows
from dashboards.theme import tokens
from dashboards.theme.tokens import Palette

# No mode bar, no logo, no zoom by accident while scrolling.
CONFIG = {"displayModeBar": False, "scrollZoom": False, "doubleClick": False, "responsive": True}


def messages_per_day(rows: Rows, before: Rows, *, palette: Palette, marks: Rows = (), height: int = 300) -> Figure:
    """Incoming messages a day, the previous period dashed on the same weekdays, marked days as dotted lines."""
    dates = [row["local_date"] for row in rows]
    counts = [row["message_received_count"] for row in rows]
    traces = []
    earlier = [row["message_received_count"] for row in before][: len(dates)]
    if before:
        traces.append(
            drawing.line("Previous period", dates, earlier)
            | {"line": {"color": palette.previous, "width": 1.5, "dash": "dash", "shape": "spline", "smoothing": 0.6}}
        )
    traces.append(
        drawing.line("Messages", dates, counts)
        | {
            "line": {"color": palette.primary, "width": 2.25, "shape": "spline", "smoothing": 0.6},
            "fill": "tozeroy",
            "fillgradient": drawing.fade(palette.primary),
        }
    )
    layout = drawing.layout(palette, height) | {
        "yaxis": drawing.counts(palette, [*counts, *earlier, 1]),
        "xaxis": drawing.days(palette, dates),
    }
    drawing.mark(layout, marks, dates, palette)
    return {"data": traces, "layout": layout}


def reply_time(rows: Rows, *, palette: Palette, target_seconds: float, marks: Rows = (), height: int = 300) -> Figure:
    """Median, p95 and p99 of the agent's replies, with the band in which most customers wait."""
    dates = [row["local_date"] for row in rows]
    levels = {name: [_seconds(row[f"{name}_ms"]) for row in rows] for name in ("p50", "p95", "p99")}
    styles = {"p99": (1, 0.45), "p50": (2.25, 1), "p95": (1.5, 0.85)}
    traces = []
    for name, (width, strength) in styles.items():
        trace = drawing.line(name, dates, levels[name]) | {
            "line": {"color": tokens.shade(palette.indigo, strength), "width": width},
            "hovertemplate": "%{y:.2f} s",
        }
        if name == "p95":
            # Filled down to the trace before it, which is the median.
            trace |= {"fill": "tonexty", "fillcolor": tokens.shade(palette.indigo, 0.14)}
        traces.append(trace)
    highest = max((value for values in levels.values() for value in values if value is not None), default=1)
    layout = drawing.layout(palette, height) | {
        "xaxis": drawing.days(palette, dates, ticks=3),
        "yaxis": drawing.times(palette, highest),
    }
    layout["margin"]["r"] = 38
    if target_seconds <= highest * 1.05:
        layout["shapes"] = [drawing.threshold(target_seconds, palette.coral)]
    drawing.mark(layout, marks, dates, palette)
    drawing.name_ends(layout, levels, palette)
    return {"data": traces, "layout": layout}


def heatmap(rows: Rows, *, palette: Palette, weeks: float, height: int = 300) -> Figure:
    """When people write: one cell for each hour of an average week. Cells are bars, because bars can be clicked."""
    cells = {(row["iso_weekday"], row["hour"]): row["message_count"] for row in rows}
    keys = [(weekday, hour) for weekday in range(1, 8) for hour in range(24)]
    per_week = [cells.get(key, 0) / weeks for key in keys]
    most = max(per_week, default=0)
    trace = {
        "type": "bar",
        "x": [hour for _, hour in keys],
        "base": [7 - weekday + 0.04 for weekday, _ in keys],
        "y": [0.92] * len(keys),
        "width": 0.92,
        "marker": {"color": [_step(value, most, palette) for value in per_week], "line": {"width": 0}},
        "customdata": [[weekday, hour, round(value, 1)] for (weekday, hour), value in zip(keys, per_week, strict=True)],
        "text": [f"{wording.LONG_WEEKDAYS[weekday - 1]} {hour:02d}:00" for weekday, hour in keys],
        "textposition": "none",
        "hovertemplate": "%{text}<br><b>%{customdata[2]}</b> messages in an average week<extra></extra>",
        "unselected": {"marker": {"opacity": 0.35}},
    }
    layout = drawing.layout(palette, height) | {
        "barmode": "overlay",
        "barcornerradius": 2,
        "hovermode": "closest",
        "dragmode": False,
        "clickmode": "event+select",
        "yaxis": drawing.axis(palette)
        | {
            "tickvals": [6.5 - index for index in range(7)],
            "ticktext": list(wording.WEEKDAYS),
            "range": [0, 7],
            "showgrid": False,
        },
        "xaxis": drawing.axis(palette)
        | {
            "tickvals": list(range(0, 24, 3)),
            "ticktext": [f"{hour:02d}" for hour in range(0, 24, 3)],
            "range": [-0.55, 23.55],
        },
    }
    layout["margin"]["l"] = 36
    return {"data": [trace], "layout": layout}


def providers(rows: Rows, *, period_dates: Sequence[date], palette: Palette, height: int = 190) -> Figure:
    """Replies a day, stacked by the provider that answered."""
    names = ordered_providers(rows)
    counts = {(row["provider"], row["local_date"]): row["reply_count"] for row in rows}
    traces = [
        {
            "type": "bar",
            "name": wording.provider(name),
            "x": list(period_dates),
            "y": [counts.get((name, day), 0) for day in period_dates],
            "marker": {"color": tokens.provider_colour(palette, name), "line": {"width": 0}},
            "hovertemplate": "%{y:,}",
        }
        for name in names
    ]
    totals = [sum(counts.get((name, day), 0) for name in names) for day in period_dates]
    layout = drawing.layout(palette, height) | {
        "barmode": "stack",
        "bargap": 0.3,
        "barcornerradius": 2,
        "showlegend": True,
        "legend": {
            "orientation": "h",
            "x": 0,
            "y": 1.28,
            "traceorder": "normal",
            "font": drawing.font(palette),
            "itemclick": False,
        },
        "yaxis": drawing.counts(palette, [*totals, 1], ticks=3),
        "xaxis": drawing.days(palette, list(period_dates), ticks=3, is_bars=True),
    }
    layout["margin"]["t"] = 34
    return {"data": traces, "layout": layout}


def grades(rows: Rows, *, palette: Palette, chosen: str | None = None, height: int = 250) -> Figure:
    """How many leads have each grade; one hue by strength, the inactive ones grey."""
    strengths = {"A": 1.0, "B": 0.72, "C": 0.5, "D": 0.3}
    colours = [
        tokens.shade(palette.primary, strengths[row["grade"]])
        if row["grade"] in strengths
        else tokens.shade(palette.grey, 0.5)
        for row in rows
    ]
    trace = {
        "type": "bar",
        "x": [row["grade"] for row in rows],
        "y": [row["contact_count"] for row in rows],
        "text": [f"{row['contact_count']:,}" for row in rows],
        "textposition": "outside",
        "textfont": drawing.font(palette, ink=True, size=12.5),
        "cliponaxis": False,
        # Plotly's own code fails on a click when bars with text do not say how selected text looks.
        "selected": {"textfont": {"color": palette.ink}},
        "unselected": {"marker": {"opacity": 0.35}, "textfont": {"color": palette.muted}},
        "marker": {"color": colours, "opacity": [1 if chosen in {None, row["grade"]} else 0.35 for row in rows]},
        "hovertemplate": "Grade %{x}<br><b>%{y:,}</b> contacts<extra></extra>",
    }
    layout = drawing.layout(palette, height) | {
        "bargap": 0.34,
        "barcornerradius": 4,
        "hovermode": "closest",
        "dragmode": False,
        "clickmode": "event+select",
        "yaxis": drawing.axis(palette) | {"visible": False, "rangemode": "tozero"},
        "xaxis": drawing.axis(palette) | {"tickfont": drawing.font(palette, ink=True, size=13), "type": "category"},
    }
    layout["margin"] |= {"t": 22, "l": 4}
    return {"data": [trace], "layout": layout}


def area(
    rows: Rows,
    *,
    at: str,
    value: str,
    since: datetime,
    until: datetime,
    palette: Palette,
    unit: str,
    height: int = 220,
) -> Figure:
    """A level through time, in indigo: what waits."""
    values = [row[value] for row in rows]
    trace = drawing.line(unit, [row[at] for row in rows], values) | {
        "line": {"color": palette.indigo, "width": 1.75},
        "fill": "tozeroy",
        "fillgradient": drawing.fade(palette.indigo),
    }
    layout = drawing.layout(palette, height) | {
        # A queue of one is no mountain.
        "yaxis": drawing.counts(palette, [*values, 8]),
        "xaxis": drawing.hours(palette, since, until),
    }
    return {"data": [trace], "layout": layout}


def breaches(
    rows: Rows,
    *,
    at: str,
    value: str,
    limit: float,
    slot: timedelta,
    since: datetime,
    until: datetime,
    palette: Palette,
    unit: str,
    height: int = 220,
) -> Figure:
    """A bar for each slot of time in grey, the ones above the limit in coral, the limit as a dotted line."""
    values = [row[value] for row in rows]
    trace = {
        "type": "bar",
        "x": [row[at] for row in rows],
        "y": values,
        # A bar alone has no neighbour that tells Plotly how wide it is.
        "width": slot.total_seconds() * 750,
        "marker": {
            "color": [palette.coral if item > limit else palette.previous for item in values],
            "line": {"width": 0},
        },
        "hovertemplate": f"%{{y:.2f}} {unit}<extra></extra>",
    }
    layout = drawing.layout(palette, height) | {
        "barcornerradius": 2,
        "yaxis": drawing.axis(palette)
        | {"rangemode": "tozero", "ticksuffix": f" {unit}", "nticks": 5, "range": [0, max([*values, limit]) * 1.15]},
        "xaxis": drawing.hours(palette, since, until),
        "shapes": [drawing.threshold(limit, palette.coral)],
    }
    layout["margin"]["l"] = 46
    return {"data": [trace], "layout": layout}


def outcomes(
    rows: Rows,
    *,
    order: Mapping[str, str],
    period_dates: Sequence[date],
    palette: Palette,
    marks: Rows = (),
    height: int = 250,
) -> Figure:
    """How conversations ended, stacked by the day they began. `order` is outcome → colour."""
    counts = {(row["outcome"], row["local_date"]): row["episode_count"] for row in rows}
    traces = [
        {
            "type": "bar",
            "name": wording.words(outcome),
            "x": list(period_dates),
            "y": [counts.get((outcome, day), 0) for day in period_dates],
            "marker": {"color": colour, "line": {"width": 0}},
            "hovertemplate": "%{y:,}",
        }
        for outcome, colour in order.items()
    ]
    totals = [sum(counts.get((outcome, day), 0) for outcome in order) for day in period_dates]
    layout = drawing.layout(palette, height) | {
        "barmode": "stack",
        "bargap": 0.3,
        "barcornerradius": 2,
        "yaxis": drawing.counts(palette, [*totals, 1]),
        "xaxis": drawing.days(palette, list(period_dates), is_bars=True),
    }
    drawing.mark(layout, marks, period_dates, palette)
    return {"data": traces, "layout": layout}


def ordered_providers(rows: Rows) -> list[str]:
    """Providers by replies, the busiest first: it stands at the bottom of the stack."""
    totals: dict[str, int] = {}
    for row in rows:
        totals[row["provider"]] = totals.get(row["provider"], 0) + row["reply_count"]
    return sorted(totals, key=lambda name: (-totals[name], name))


def _seconds(milliseconds: float | None) -> float | None:
    return None if milliseconds is None else milliseconds / 1000


def _step(value: float, most: float, palette: Palette) -> str:
    """One of six steps, the darkest for the busiest hour."""
    if not most or not value:
        return palette.heat[0]
    return palette.heat[round(value / most * 5)]
