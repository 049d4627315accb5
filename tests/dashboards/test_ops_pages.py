"""The operations pages: what is late, stuck, shut off or loud is seen at once, and can be mended from there."""

import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any
from uuid import uuid4

import prometheus_client
import psycopg
import pytest

from dashboards import shell
from dashboards.ops import freshness, gauges, providers, tenants
from mychatflow import settings as configuration
from mychatflow.settings import Settings
from mychatflow.store.watch import Calls, Neighbour
from tests import ports
from tests.dashboards.conftest import HOSTILE, Town, forget
from tests.dashboards.test_pages import html_of, opened

NOW = datetime(2026, 11, 25, 12, tzinfo=UTC)


@pytest.fixture
def troubled(pages: Town) -> Iterator[Town]:
    """The town with a firing alert, an open breaker, a doubtful send and a message that no attempt could answer."""
    shop = pages.hotel
    with psycopg.connect(pages.settings.role_url("engine"), autocommit=True) as connection:
        connection.execute(
            "insert into alerts (rule, subject, severity, detail, fired_at)"
            " values ('messages_wait', %s, 'critical', '{\"value\": 42}', now() - interval '3 minutes')",
            (HOSTILE,),
        )
        connection.execute(
            "insert into breaker_history (target, from_state, to_state, reason, changed_at)"
            " values ('gemini:gemini-3-flash', 'closed', 'open', 'server_error', now() - interval '4 seconds')"
        )
        connection.execute(
            "insert into inbox (tenant_id, instance_id, session, message_id, lane, kind, chat_id, sent_at, state,"
            " attempts, last_error) values (%s, %s, %s, 'false_1@c.us_TRACED', 'message', 'message', '1@c.us', now(),"
            " 'parked', 9, %s)",
            (shop.tenant_id, shop.instance_id, f"session-{shop.instance_id}", HOSTILE),
        )
        yield pages
        for statement in (
            "delete from alerts",
            "delete from breaker_history where target like 'gemini%'",
            "delete from inbox where message_id = 'false_1@c.us_TRACED'",
            "delete from chat_leases where chat_id = '1@c.us'",
        ):
            connection.execute(statement.encode())


def test_a_firing_alert_stands_first_and_runs_nothing(troubled: Town) -> None:
    shown = html_of(opened("alerts"))

    assert "1 firing" in shown
    assert "has waited for more than 30 s" in shown
    assert "<img" not in shown


def test_a_breaker_that_opened_seconds_ago_is_seen(troubled: Town) -> None:
    shown = html_of(opened("providers"))

    assert "1 shut off" in shown
    assert "Skipped, others answer" in shown


def test_a_parked_message_is_replayed_from_the_page(troubled: Town) -> None:
    test = opened("delivery")
    assert "Somebody should look" in html_of(test)
    letter = test.multiselect(key="letters").options[0]

    test = test.multiselect(key="letters").set_value([letter]).run()
    test = test.button(key="replay").click().run()

    assert not test.exception
    with psycopg.connect(troubled.settings.role_url("engine")) as connection:
        found = connection.execute("select state, attempts from inbox where message_id = 'false_1@c.us_TRACED'")
        assert found.fetchall() == [("open", 0)]


def test_one_message_is_followed_by_its_id(troubled: Town) -> None:
    shown = html_of(opened("trace", message="false_1@c.us_TRACED"))

    assert "parked, 9 attempts" in shown
    assert "Nothing is known" in html_of(opened("trace", message=HOSTILE))


def test_an_operator_finds_stale_tables_with_their_command(pages: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    # Two days in which no run came.
    monkeypatch.setattr(shell, "now", lambda: pages.at + timedelta(days=2))

    test = opened("operations")

    shown = html_of(test)
    assert "tables are late" in shown
    assert "Restated numbers by table" in shown
    assert f"--from {pages.at.date()} --to" in test.code[0].value
    assert " analytics_events " in test.code[0].value


def test_the_command_begins_where_each_table_stopped() -> None:
    rows = [
        {"asset": "episodes", "newest_data_at": datetime(2026, 11, 20, 5, tzinfo=UTC)},
        {"asset": "analytics_events", "newest_data_at": datetime(2026, 11, 20, 7, tzinfo=UTC)},
        {"asset": "restatements", "newest_data_at": None},
    ]

    assert freshness._backfill(rows, at=NOW) == [
        "mychatflow backfill --asset restatements --from 2026-10-28 --to 2026-11-26",
        "mychatflow backfill --asset analytics_events episodes --from 2026-11-20 --to 2026-11-26",
    ]


def test_a_failed_check_is_not_called_late() -> None:
    fresh, late, failed = a_table(), a_table(newest_data_at=NOW - timedelta(days=1)), a_table(a_check("block"))

    assert freshness._told([fresh], at=NOW) == ("Everything is fresh", "good")
    assert freshness._told([fresh, failed], at=NOW) == ("1 table failed a check", "bad")
    assert freshness._told([late, failed, late], at=NOW) == ("2 tables are late · 1 table failed a check", "bad")


def test_a_check_that_only_warns_is_no_failure() -> None:
    warned, both = a_table(a_check("warn")), a_table(a_check("warn"), a_check("block"))
    late = a_table(a_check("warn"), newest_data_at=NOW - timedelta(days=1))

    assert freshness._status(warned, at=NOW)[:2] == ("Check warns", "warn")
    assert freshness._status(both, at=NOW)[:2] == ("Check failed", "bad")
    assert freshness._status(late, at=NOW)[:2] == ("Late", "bad")
    assert freshness._told([warned, a_table()], at=NOW) == ("1 table has a warning", "warn")
    assert freshness._told([warned, both, late], at=NOW)[1] == "bad"
    assert freshness._broken([both], is_warning=True) == ["Warning: episodes · it_is_small: 3 rows"]
    assert freshness._broken([both], is_warning=False) == ["episodes · it_is_small: 3 rows"]


def a_table(*checks: dict[str, Any], newest_data_at: datetime = NOW) -> dict[str, Any]:
    count = sum(check["failed_count"] > 0 for check in checks)
    table = {"asset": "episodes", "newest_data_at": newest_data_at, "limit_seconds": 4500}
    return table | {"failed_check_count": count, "checks": checks}


def a_check(severity: str) -> dict[str, Any]:
    return {"check_name": "it_is_small", "severity": severity, "failed_count": 3, "ran_at": NOW}


@pytest.mark.parametrize(
    ("mine", "theirs", "is_noisy"), [(80, 20, True), (50, 50, False), (15, 1, False), (0, 0, False)]
)
def test_who_is_half_of_the_load_is_noisy(mine: int, theirs: int, is_noisy: bool) -> None:
    one, other = a_neighbour(mine), a_neighbour(theirs)

    assert tenants.is_noisy(one, [one, other]) is is_noisy


def test_a_tenant_alone_disturbs_nobody() -> None:
    one = a_neighbour(500)

    assert not tenants.is_noisy(one, [one])


def test_a_breaker_tells_the_calls_of_its_own_model() -> None:
    usual = {"provider": "openai", "fallback_count": 0, "hedge_count": 0, "p50_ms": 400, "p95_ms": 900, "cost_usd": 0}
    calls = [
        Calls(model="gpt-4o-mini", attempt_count=75, ok_count=75, **usual),
        Calls(model="gpt-5.4-mini", attempt_count=25, ok_count=5, **usual),
    ]

    def told(target: str) -> str:
        return providers._block(target, "open", [], calls, lambda *_, **__: ["good"], ["12:00"])

    assert "20.0% ok" in told("openai:gpt-5.4-mini")
    assert "100% ok" in told("openai:gpt-4o-mini")
    assert "80.0% ok" in told("openai")


def a_neighbour(received: int) -> Neighbour:
    return Neighbour(
        tenant_id=uuid4(),
        name="Shop",
        plan="pro",
        is_suspended=False,
        used_count=received,
        received_count=received,
        waiting_count=0,
        oldest_at=NOW - timedelta(minutes=1),
    )


def test_webhooks_are_counted_where_the_web_process_is(monkeypatch: pytest.MonkeyPatch) -> None:
    class Metrics(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200 if self.path == "/metrics" else 404)
            self.end_headers()
            self.wfile.write(
                b"# TYPE mychatflow_webhooks_total counter\n"
                b'mychatflow_webhooks_total{event="message",outcome="stored"} 7.0\n'
            )

        def log_message(self, *_: Any) -> None:
            """Nobody reads it."""

    with HTTPServer(("127.0.0.1", 0), Metrics) as server:
        threading.Thread(target=server.handle_request, daemon=True).start()
        # As in a container of its own, where nothing listens beside the pages.
        elsewhere = Settings(_env_file=None, WEB_URL=f"http://127.0.0.1:{server.server_port}/", WEB_PORT=1)
        monkeypatch.setattr(configuration, "load", lambda: elsewhere)

        assert gauges.webhooks() == {"stored": 7.0}


def test_a_web_process_that_just_started_does_not_claim_there_never_was_a_webhook(
    pages: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its counts begin anew, beside six hours of messages that the database knows of."""
    port = ports.free()
    monkeypatch.setenv("WEB_PORT", str(port))
    forget()
    server, thread = prometheus_client.start_http_server(
        port, addr="127.0.0.1", registry=prometheus_client.CollectorRegistry()
    )
    shown = html_of(opened("delivery"))
    server.shutdown()
    server.server_close()
    thread.join()

    assert "None since the web process started" in shown
