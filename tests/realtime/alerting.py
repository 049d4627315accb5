"""An evaluator of alerts for the tests, what fires, and the e-mails it wrote."""

import json
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from mychatflow.settings import Settings
from mychatflow.store import alerts as book
from mychatflow.store.session import Store
from realtime import alerts
from realtime.alerts import Alerts
from realtime.channels.resend import Resend
from tests.journeys.conftest import varied

PEOPLE = "duty@example.test, boss@example.test"


@pytest.fixture
async def evaluator(fresh: Settings, store: Store) -> AsyncIterator[Alerts]:
    settings = varied(fresh, alert_emails=PEOPLE)
    # What other tests of this process counted is not this one's.
    alerts._counts().take()
    async with Resend(settings) as resend:
        yield Alerts(settings=settings, store=store, resend=resend, process="web")


async def firing(store: Store) -> list[tuple[str, str]]:
    async with store.platform_transaction() as transaction:
        return [(alert.rule, alert.subject) for alert in await book.firing(transaction)]


async def later(store: Store, minutes: float) -> None:
    """As if all that was written had been written so long ago."""
    async with store.platform_transaction() as transaction:
        values = {"ago": timedelta(minutes=minutes)}
        for change in (
            "update measured_increments set counted_at = counted_at - :ago",
            "update alerts set held_at = held_at - :ago, fired_at = fired_at - :ago, emailed_at = emailed_at - :ago",
        ):
            await transaction.execute(text(change), values)


def kept(settings: Settings) -> set[Path]:
    """The e-mails about alerts so far, where no key is set: the folder is every test's."""
    return set((settings.data_dir / "outbox").glob("alert_*.json"))


def told(settings: Settings, before: set[Path]) -> list[dict[str, Any]]:
    return [json.loads(path.read_text()) for path in kept(settings) - before]
