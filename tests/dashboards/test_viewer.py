"""Who may look, at what, over which period: the rules of the door and of the filters."""

from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from pydantic import SecretStr

from dashboards import filters, shell, sign_in, viewer
from dashboards.ops import uptime
from mychatflow.settings import ConfigurationRefused, Settings
from mychatflow.store.operations import BreakerChange
from mychatflow.store.viewers import Workspace

TODAY = date(2026, 11, 24)
NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)


def a_workspace(name: str) -> Workspace:
    return Workspace(
        tenant_id=uuid4(), name=name, timezone="UTC", plan="pro", is_demo=False, role="viewer", is_platform_staff=False
    )


@pytest.mark.parametrize(
    ("address", "host", "headers", "is_allowed"),
    [
        (None, "localhost:8501", [], True),
        ("127.0.0.1", "127.0.0.1:8501", ["Accept"], True),
        ("::1", "[::1]:8501", [], True),
        ("192.168.1.7", "192.168.1.7:8501", [], False),
        (None, "evil.example", [], False),
        (None, "localhost:8501", ["X-Forwarded-For"], False),
        (None, "localhost:8501", ["forwarded"], False),
        (None, None, [], False),
        ("nonsense", "localhost", [], False),
        (None, "localhost.evil.example", [], False),
    ],
)
def test_only_this_machine_is_the_local_owner(
    address: str | None, host: str | None, headers: list[str], is_allowed: bool
) -> None:
    assert viewer.is_on_this_machine(address=address, host=host, headers=headers) is is_allowed


@pytest.mark.parametrize(
    ("role", "least", "is_enough"),
    [
        ("viewer", "viewer", True),
        ("viewer", "agent", False),
        ("agent", "agent", True),
        ("agent", "admin", False),
        ("owner", "admin", True),
        ("stranger", "viewer", False),
    ],
)
def test_a_role_reaches_what_stands_below(role: str, least: str, is_enough: bool) -> None:
    assert viewer.is_at_least(role, least) is is_enough


def test_namesakes_are_told_apart() -> None:
    first, second, other = a_workspace("Shop"), a_workspace("Shop"), a_workspace("Inn")

    labels = shell.labelled((first, second, other))

    assert set(labels.values()) == {first, second, other}
    assert labels["Inn"] == other
    assert "Shop" not in labels


@pytest.mark.parametrize("days", filters.PRESETS.values())
def test_presets_are_whole_weeks_of_whole_days(days: int) -> None:
    period = filters.preset(days, today=TODAY)

    assert period.days == days
    assert days % 7 == 0
    assert period.until == TODAY
    assert period.since.weekday() == period.previous.since.weekday()


@pytest.mark.parametrize(
    ("chosen", "days"),
    [
        ((date(2026, 11, 1), date(2026, 11, 10)), 10),
        ((date(2026, 11, 10),), 1),
        ((), 28),
        ((date(2020, 1, 1), date(2026, 11, 10)), 366),
    ],
)
def test_chosen_dates_are_both_included(chosen: tuple[date, ...], days: int) -> None:
    assert filters.custom(chosen, today=TODAY).days == days


@pytest.mark.parametrize(
    ("claims", "found"),
    [
        ({"email": " ann@shop.example ", "email_verified": True}, "ann@shop.example"),
        ({"email": "ann@shop.example"}, None),
        ({"email": "ann@shop.example", "email_verified": False}, None),
        ({"email": "ann@shop.example", "email_verified": "true"}, None),
        ({"email": "", "email_verified": True}, None),
        ({"email": ["ann@shop.example"], "email_verified": True}, None),
    ],
)
def test_an_address_counts_when_the_provider_verified_it(claims: dict[str, Any], found: str | None) -> None:
    assert viewer.verified_address(claims) == found


def settings(**values: Any) -> Settings:
    return Settings(_env_file=None, master_key=None, **values)


def test_without_issuer_nothing_signs_in() -> None:
    assert sign_in.secrets(settings()) == {}


def test_an_issuer_without_client_is_refused() -> None:
    with pytest.raises(ConfigurationRefused, match="CLERK_CLIENT_ID"):
        sign_in.secrets(settings(clerk_issuer="https://id.example"))


def test_sign_in_returns_to_the_public_address() -> None:
    found = sign_in.secrets(
        Settings(
            _env_file=None,
            MYCHATFLOW_MASTER_KEY="ab" * 32,
            clerk_issuer="https://id.example/",
            clerk_client_id="dashboards",
            clerk_client_secret=SecretStr("hush"),
            dashboards_url="https://numbers.example",
        )
    )

    assert found["auth"]["redirect_uri"] == "https://numbers.example/oauth2callback"
    assert found["auth"]["server_metadata_url"] == "https://id.example/.well-known/openid-configuration"
    assert "_" not in found["auth"]["client_id"]


def a_change(state: str, before: str, *, minutes: int) -> BreakerChange:
    at = NOON - timedelta(minutes=minutes)
    return BreakerChange(target="openai", from_state=before, to_state=state, reason="", changed_at=at)


def test_a_breaker_that_never_moved_is_even() -> None:
    shown = uptime.slots([], now="open", since=NOON - timedelta(hours=1), until=NOON, count=6)

    assert shown == ["bad"] * 6


def test_each_slot_shows_its_worst_state() -> None:
    changes = [
        a_change("open", "closed", minutes=35),
        a_change("half_open", "open", minutes=25),
        a_change("closed", "half_open", minutes=22),
    ]

    shown = uptime.slots(changes, now="closed", since=NOON - timedelta(hours=1), until=NOON, count=6)

    assert shown == ["good", "good", "bad", "bad", "good", "good"]
