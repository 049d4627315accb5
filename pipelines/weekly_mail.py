"""The week's numbers as one e-mail: the dashboard's own reads, in words, against the week before."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlencode
from uuid import UUID
from zoneinfo import ZoneInfo

from jinja2 import Environment, FileSystemLoader, select_autoescape

from mychatflow.settings import Settings
from mychatflow.store import report_mails
from mychatflow.store.report_mails import Mail, Readers
from warehouse import reads
from warehouse.periods import Period

_TEMPLATE = Environment(
    loader=FileSystemLoader(Path(__file__).parent), autoescape=select_autoescape(default=True), trim_blocks=True
).get_template("weekly_mail.html.jinja")
# Column of the overview's numbers, its name, and how it reads.
_LINES = (
    ("message_received_count", "Messages received", "{:,.0f}"),
    ("contact_count", "People who wrote", "{:,.0f}"),
    ("reply_p50_ms", "Median reply time", "{:,.0f} ms"),
    ("answered_rate", "Conversations answered", "{:.1%}"),
    ("auto_resolution_rate", "Resolved without help", "{:.1%}"),
    ("booked_count", "Appointments booked", "{:,.0f}"),
    ("cost_usd", "AI cost", "${:,.2f}"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One number of the week and how it moved."""

    label: str
    value: str
    change: str


def week_before(at: datetime, timezone: str) -> Period:
    """The last whole week, Monday to Sunday, of the business's own days."""
    today = at.astimezone(ZoneInfo(timezone)).date()
    monday = today - timedelta(days=today.weekday())
    return Period(since=monday - timedelta(days=7), until=monday)


def mails(settings: Settings, to: Readers, *, at: datetime) -> list[Mail]:
    """One for each reader; none after a week without a message. Raises reads.NothingPublished."""
    week = week_before(at, to.timezone)
    now = reads.overview_kpis(to.tenant_id, week)[0]
    if not now["message_count"]:
        return []
    lines = lines_of(now, reads.overview_kpis(to.tenant_id, week.previous)[0])
    return [_mail(settings, to, email, week, lines) for email in to.emails]


def lines_of(now: Mapping[str, Any], before: Mapping[str, Any]) -> list[Line]:
    """What has no value is said so, and compared with nothing."""
    return [
        Line(
            label=label,
            value="no data" if now[column] is None else written.format(now[column]),
            change=_change(now[column], before[column]),
        )
        for column, label, written in _LINES
    ]


def _change(now: float | None, before: float | None) -> str:
    if now is None or not before:
        return ""
    relative = (now - before) / before
    return "as the week before" if abs(relative) < 0.01 else f"{relative:+.0%} on the week before"


def _mail(settings: Settings, to: Readers, email: str, week: Period, lines: list[Line]) -> Mail:
    id_ = report_mails.mail_id(to.tenant_id, week=week.since, email=email)
    last = week.until - timedelta(days=1)
    facts = {
        "business": to.business,
        "span": f"{week.since.day} {week.since:%b} to {last.day} {last:%b}",
        "lines": lines,
        "dashboards_url": settings.dashboards_url,
        "refuse_url": refuse_url(settings, to.tenant_id, id_),
    }
    told = "\n".join(f"{line.label}: {line.value} {line.change}".rstrip() for line in lines)
    return Mail(
        tenant_id=to.tenant_id,
        id=id_,
        email=email,
        subject=f"{to.business}: your week on WhatsApp, {facts['span']}",
        body_text=f"{to.business}, {facts['span']}\n\n{told}\n\nUnsubscribe: {facts['refuse_url']}\n",
        body_html=_TEMPLATE.render(facts),
    )


def refuse_url(settings: Settings, tenant_id: UUID, id_: UUID) -> str:
    root = settings.webhook_url.removesuffix("/api/webhooks/whatsapp")
    asked = {"tenant": str(tenant_id), "mail": str(id_), "token": report_mails.token(settings, tenant_id, id_)}
    return f"{root}/api/reports/unsubscribe?{urlencode(asked)}"
