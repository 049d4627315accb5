"""The small pieces of a page that are plain HTML: titles, bars, tables, chips and states. All text is escaped here."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from dashboards import wording
from dashboards.wording import escaped

Tone = Literal["good", "warn", "bad", "quiet"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """A column of a small table: its heading and whether its values are numbers."""

    title: str
    is_number: bool = False


def page_title(title: str, subtitle: str, *, warning: str = "") -> str:
    warned = f" {chip(warning, 'warn')}" if warning else ""
    return f'<div class="mcf-title"><h1>{escaped(title)}</h1><p>{escaped(subtitle)}{warned}</p></div>'


def card_title(title: str, subtitle: str, explained: str = "") -> str:
    """The heading of a card; the definition of what it shows opens on hover, focus and tap."""
    return f'<div class="mcf-card-title"><h2>{escaped(title)}{hint(explained)}</h2><p>{escaped(subtitle)}</p></div>'


def view_link(name: str, address: str, told: str) -> str:
    """A saved view: another address of the same page."""
    note = f" {chip(told)}" if told else ""
    return f'<a class="mcf-view" href="{escaped(address)}" target="_self">{escaped(name)}{note}</a>'


def hint(explained: str) -> str:
    if not explained:
        return ""
    text = escaped(explained)
    return f'<span class="mcf-hint" tabindex="0" role="note" aria-label="{text}">?<span>{text}</span></span>'


def sidebar_note(timezone: str, name: str) -> str:
    return (
        f'<div class="mcf-note"><p>{_icon("clock")}Times in {escaped(timezone)}</p>'
        f"<p>{_icon('person')}{escaped(name)}</p></div>"
    )


def state(kind: str, title: str, sentence: str) -> str:
    """An empty, failed or closed card."""
    return (
        f'<div class="mcf-state" role="status">{_icon(kind)}<h2>{escaped(title)}</h2><p>{escaped(sentence)}</p></div>'
    )


def _icon(name: str) -> str:
    """Drawn by the style sheet: Streamlit removes drawings from HTML."""
    return f'<i class="mcf-icon {name}" aria-hidden="true"></i>'


def chip(text: str, tone: Tone = "quiet") -> str:
    return f'<span class="mcf-chip mcf-{tone}">{escaped(text)}</span>'


def chips(texts: Iterable[str], tone: Tone = "quiet") -> str:
    return f'<div class="mcf-chips">{"".join(chip(text, tone) for text in texts)}</div>'


def status(text: str, tone: Tone) -> str:
    """A dot with a soft halo and a word: never colour alone."""
    return f'<span class="mcf-status mcf-{tone}"><i></i>{escaped(text)}</span>'


def warned(text: str) -> str:
    """What is wrong with the field above it."""
    return f'<p class="mcf-warned" role="alert">{escaped(text)}</p>'


def swatch(text: str, colour: str) -> str:
    return f'<span class="mcf-swatch"><i style="background:{escaped(colour)}"></i>{escaped(text)}</span>'


def table(columns: Sequence[Column], rows: Iterable[Sequence[str]], *, label: str) -> str:
    """A small table; cells are HTML made by this module, so callers escape what people wrote."""
    kinds = ["number" if column.is_number else "text" for column in columns]
    head = "".join(
        f'<th scope="col" class="{kind}">{escaped(column.title)}</th>'
        for kind, column in zip(kinds, columns, strict=True)
    )
    body = "".join(
        "<tr>" + "".join(f'<td class="{kind}">{cell}</td>' for kind, cell in zip(kinds, cells, strict=True)) + "</tr>"
        for cells in rows
    )
    return (
        f'<div class="mcf-scroll"><table class="mcf-table" aria-label="{escaped(label)}">'
        f"<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>"
    )


def line(cells: Sequence[str], *, is_head: bool = False) -> str:
    """A row of a list whose rows can be opened: a name, then numbers; cells are HTML, as in a table."""
    name, *numbers = cells
    told = "".join(f"<b>{number}</b>" for number in numbers)
    return f'<div class="mcf-line{" head" if is_head else ""}"><span>{name}</span>{told}</div>'


def outage(cells: Sequence[str], *, is_head: bool = False) -> str:
    """A row of an outage that can be opened: two texts, then figures; cells are HTML, as in a table."""
    told = "".join(f"<span>{cell}</span>" for cell in cells)
    return f'<div class="mcf-outage{" head" if is_head else ""}">{told}</div>'


def funnel(steps: Sequence[tuple[str, int]], changes: Sequence[str | int | None] = ()) -> list[str]:
    """Horizontal bars, each with the share kept from the step before; `changes` are those against an earlier period."""
    widest = max((count for _, count in steps), default=0)
    rows = []
    before: int | None = None
    for number, (name, count) in enumerate(steps):
        kept = "100%" if before is None else (f"{wording.share(count / before, digits=0)} kept" if before else "–")
        width = count / widest * 100 if widest else 0
        # A bar is never thinner than its corners, so that nobody at all has none.
        bar = f'<i class="step-{number}" style="width:{width:.1f}%"></i>' if count else ""
        rows.append(
            f'<div class="mcf-step"><span>{escaped(name)}</span>'
            f'<div class="mcf-bar">{bar}</div>'
            f"<b>{count:,}</b><em>{kept}</em>{_changed(changes, number)}</div>"
        )
        before = count
    return rows


def _changed(changes: Sequence[str | int | None], number: int) -> str:
    """No place is kept where nothing is compared."""
    if not changes:
        return ""
    return f"<small>{'' if changes[number] is None else escaped(changes[number])}</small>"


def shared(name: str, count: int, share: str, *, change: str | int | None = None) -> str:
    """A row of a whole: its name, how many, which share, and the change since the period before."""
    moved = "" if change is None else escaped(change)
    return f'<div class="mcf-shared">{name}<b>{count:,}</b><small>{moved}</small><em>{escaped(share)}</em></div>'


def strip_of(rows: Sequence[tuple[int, Tone]]) -> str:
    """Shares of a whole as one strip; the words stand beside it."""
    bars = "".join(
        f'<i class="mcf-{tone} share-{number}" style="flex:{count}"></i>'
        for number, (count, tone) in enumerate(rows)
        if count
    )
    return f'<div class="mcf-strip" aria-hidden="true">{bars}</div>'


def meter(share: float, *, mark: float, tone: Tone) -> str:
    """A thin bar with a tick where the promise ends."""
    width = min(max(share, 0.02), 1) * 100
    bar, tick = f'<i style="width:{width:.1f}%"></i>', f'<s style="left:{mark * 100:.1f}%"></s>'
    return f'<div class="mcf-meter mcf-{tone}">{bar}{tick}</div>'


def waterfall(steps: Sequence[tuple[str, float, float, bool]]) -> list[str]:
    """A head, then each step's median where it begins with its p95 pale behind; steps beyond us start anew."""
    widest = max(sum(median for _, median, _, is_outside in steps if not is_outside), 1.0)
    rows, start = ['<div class="mcf-fall head"><span></span><div></div><b>median</b><em>p95</em></div>'], 0.0
    for name, median, p95, is_outside in steps:
        left = 0.0 if is_outside else min(start / widest, 1) * 100
        width, reach = (min(value / widest * 100, 100 - left) for value in (median, p95))
        tone = "outside" if is_outside else "ours"
        rows.append(
            f'<div class="mcf-fall {tone}"><span>{escaped(name)}</span><div>'
            f'<s style="left:{left:.1f}%;width:{max(reach, 0.4):.1f}%"></s>'
            f'<i style="left:{left:.1f}%;width:{max(width, 0.4):.1f}%"></i></div>'
            f"<b>{escaped(wording.short_ms(median))}</b><em>{escaped(wording.short_ms(p95))}</em></div>"
        )
        start += 0 if is_outside else median
    return rows


def rate(found: tuple[float, float, float] | None) -> str:
    """A measured share with its interval as a whisker, or that nothing was measured."""
    if found is None:
        return '<div class="mcf-rate"><strong>not measured</strong><span>Grade a few answers to know.</span></div>'
    value, low, high = found
    return (
        f'<div class="mcf-rate"><strong>{value * 100:.0f}%</strong>'
        f"<span>between {low * 100:.0f}% and {high * 100:.0f}%, 95 of 100 times</span>"
        f'<div><s style="left:{low * 100:.1f}%;width:{(high - low) * 100:.1f}%"></s>'
        f'<i style="left:{value * 100:.1f}%"></i></div></div>'
    )


def strip(tones: Sequence[Tone], titles: Sequence[str]) -> str:
    """A row of small bars, one per slot of time, like a status page."""
    bars = "".join(
        f'<i class="mcf-{tone}" title="{escaped(title)}"></i>' for tone, title in zip(tones, titles, strict=True)
    )
    return f'<div class="mcf-uptime">{bars}</div>'


def timeline(steps: Sequence[tuple[str, str, str, Tone]]) -> str:
    """When, what and how, one below another along a line."""
    rows = "".join(
        f'<li class="mcf-{tone}"><time>{escaped(when)}</time><i></i>'
        f"<div><b>{escaped(word)}</b> {escaped(told)}</div></li>"
        for when, word, told, tone in steps
    )
    return f'<ol class="mcf-timeline">{rows}</ol>'


def fact(name: str, value: str, explained: str = "") -> str:
    """A name and a number on a line of their own; what is explained is told on hover."""
    told = f' title="{escaped(explained)}"' if explained else ""
    return f'<div class="mcf-fact"{told}><span>{escaped(name)}</span><b>{escaped(value)}</b></div>'


def facts(pairs: Mapping[str, Any]) -> str:
    """Names and values, one pair a line."""
    rows = "".join(f"<dt>{escaped(name)}</dt><dd>{escaped(value)}</dd>" for name, value in pairs.items())
    return f'<dl class="mcf-facts">{rows}</dl>'
