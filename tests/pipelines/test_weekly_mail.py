"""The week by e-mail: the dashboard's numbers, once for each owner and admin who wants it, with a way out."""

from datetime import UTC, date, datetime
from uuid import UUID

import psycopg
import pytest

from mychatflow.settings import Settings
from mychatflow.store import report_mails
from pipelines import weekly_mail
from tests.pipelines.conftest import RunJob
from tests.warehouse import history
from tests.warehouse.history import Business
from warehouse import reads, rollup
from warehouse.periods import Period
from warehouse.reader import Reader

HOSTILE = "<script>alert(1)</script>"


def a_member(settings: Settings, business: Business, email: str, role: str) -> None:
    with psycopg.connect(settings.role_url("engine")) as connection:
        connection.execute(
            "insert into team_members (tenant_id, email, role) values (%s, %s, %s)", (business.tenant_id, email, role)
        )


def mails(settings: Settings) -> list[tuple[UUID, UUID, str, str, str]]:
    with psycopg.connect(settings.role_url("pipeline")) as connection:
        return connection.execute(
            "select tenant_id, id, email, body_text, body_html from report_mails order by email"
        ).fetchall()


@pytest.fixture
def busy(installation: Settings, published: Reader) -> Business:
    """A business with two weeks of messages, an owner, an admin and people who only work there."""
    business = history.a_business(installation)
    history.write(installation, history.a_past(business, turns=300, days=20, until=datetime.now(UTC)))
    for email, role in (("Owner@a.test", "owner"), ("admin@a.test", "admin"), ("agent@a.test", "agent")):
        a_member(installation, business, email, role)
    with psycopg.connect(installation.role_url("engine")) as connection:
        connection.execute("update tenants set name = %s where id = %s", (HOSTILE, business.tenant_id))
        connection.execute("update settings set business_name = null where tenant_id = %s", (business.tenant_id,))
    rollup.rollup(installation, at=datetime.now(UTC))
    return business


def test_each_owner_and_admin_gets_the_week_once(run_job: RunJob, installation: Settings, busy: Business) -> None:
    for _ in range(2):
        assert run_job("weekly_report").success

    found = mails(installation)
    assert [row[2] for row in found] == ["admin@a.test", "owner@a.test"]
    week = weekly_mail.week_before(datetime.now(UTC), "UTC")
    received = reads.overview_kpis(busy.tenant_id, week)[0]["message_received_count"]
    assert f"Messages received: {received:,}" in found[0][3]
    assert "<script>" not in found[0][4]
    assert "Unsubscribe" in found[0][4]


def test_who_refused_gets_no_other(run_job: RunJob, installation: Settings, busy: Business) -> None:
    with psycopg.connect(installation.role_url("engine")) as connection:
        connection.execute(
            "insert into report_refusals (tenant_id, email, refused_at) values (%s, 'owner@a.test', now())",
            (busy.tenant_id,),
        )

    assert run_job("weekly_report").success

    assert [row[2] for row in mails(installation)] == ["admin@a.test"]


@pytest.mark.parametrize(
    ("at", "timezone", "since"),
    [
        (datetime(2026, 11, 23, 12, tzinfo=UTC), "UTC", date(2026, 11, 16)),
        (datetime(2026, 11, 23, 12, tzinfo=UTC), "Pacific/Auckland", date(2026, 11, 16)),
        (datetime(2026, 11, 23, 12, tzinfo=UTC), "America/Los_Angeles", date(2026, 11, 16)),
        (datetime(2026, 11, 22, 23, 59, tzinfo=UTC), "UTC", date(2026, 11, 9)),
    ],
)
def test_the_week_is_the_last_whole_one_of_the_business(at: datetime, timezone: str, since: date) -> None:
    week = weekly_mail.week_before(at, timezone)

    assert week == Period(since=since, until=date.fromordinal(since.toordinal() + 7))


def test_what_has_no_value_is_compared_with_nothing() -> None:
    names = [column for column, _, _ in weekly_mail._LINES]

    (line, *_) = weekly_mail.lines_of(dict.fromkeys(names), dict.fromkeys(names, 1))
    steady = weekly_mail.lines_of(dict.fromkeys(names, 100.4), dict.fromkeys(names, 100))[0]

    assert (line.value, line.change) == ("no data", "")
    assert steady.change == "as the week before"


def test_a_link_of_another_mail_proves_nothing(installation: Settings) -> None:
    one, other = UUID(int=1), UUID(int=2)

    assert report_mails.token(installation, one, one) != report_mails.token(installation, one, other)
