"""Customers read their appointment in their own language, and are reminded at a decent hour."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mychatflow.rules import appointment_text, promises, reminder
from mychatflow.rules.reminder import ReminderFacts

START = datetime(2026, 3, 10, 18, 30, tzinfo=UTC)
NOON = datetime(2026, 3, 9, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("language", "weekday", "clock"),
    [
        ("en", "Tuesday, March 10, 2026", "3:30 PM (Brasilia Standard Time)"),
        ("es", "martes, 10 de marzo de 2026", "15:30"),
        ("pt", "terça-feira, 10 de março de 2026", "15:30 (Horário Padrão de Brasília)"),
        ("de", "Dienstag, 10. März 2026", "15:30"),
        ("ar", "الثلاثاء، 10 مارس 2026", "3:30"),
        ("ja", "2026年3月10日火曜日", "15:30"),
        ("sw", "Tuesday, March 10, 2026", "3:30 PM"),
    ],
)
def test_the_confirmation_speaks_the_customers_language(language, weekday, clock):
    said = appointment_text.say(
        "booked", language=language, service="Corte {when}", starts_at=START, timezone="America/Sao_Paulo"
    )

    assert "Corte {when}" in said
    assert weekday in said
    assert clock in said


@pytest.mark.parametrize("language", ["en", "es", "pt", "fr", "de", "it", "ar", "hi", "id", "ru", "zh", "ja"])
def test_a_confirmation_is_a_promise_in_every_language(language):
    said = appointment_text.say("booked", language=language, service="Cut", starts_at=START, timezone="UTC")

    assert promises.find(said) is not None


def facts(**changes):
    usual = {"starts_at": START, "is_booked": True, "is_opted_out": False, "is_connected": True, "timezone": "UTC"}
    return ReminderFacts(**(usual | changes))


@pytest.mark.parametrize(
    ("changes", "at", "action"),
    [
        ({}, NOON, "send"),
        ({"is_booked": False}, NOON, "cancel"),
        ({"is_opted_out": True}, NOON, "cancel"),
        ({"is_connected": False}, NOON, "wait"),
        ({}, NOON.replace(hour=22), "wait"),
        ({"timezone": "Asia/Tokyo"}, NOON, "wait"),
        ({}, START - timedelta(minutes=15), "send"),
        ({}, START - timedelta(minutes=14), "drop"),
        # The next one says the same, now or at the end of the night.
        ({"next_at": NOON}, NOON, "drop"),
        ({"next_at": NOON + timedelta(minutes=5)}, NOON, "drop"),
        ({"next_at": NOON + timedelta(minutes=6)}, NOON, "send"),
        ({"next_at": NOON, "is_connected": False}, NOON, "drop"),
        ({"next_at": NOON.replace(hour=23)}, NOON.replace(hour=22), "drop"),
        ({"next_at": NOON + timedelta(days=1)}, NOON.replace(hour=22), "wait"),
    ],
)
def test_a_reminder_is_asked_for_again_when_it_is_due(changes, at, action):
    assert reminder.decide(facts(**changes), at=at).action == action


@given(st.lists(st.integers(15, 20_160), max_size=5), st.integers(0, 30 * 1440))
def test_reminders_lie_between_booking_and_start(minutes, ahead):
    booked_at = START - timedelta(minutes=ahead)

    moments = reminder.moments(START, minutes_before=minutes, booked_at=booked_at)

    assert list(moments) == sorted(set(moments))
    assert all(booked_at + timedelta(hours=1) <= moment < START for moment in moments)
