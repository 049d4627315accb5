"""The week by e-mail, written on Mondays for the worker to send; nothing is sent from here."""

from datetime import UTC, datetime, timedelta

import dagster as dg

from mychatflow.settings import Settings
from mychatflow.store import report_mails as book
from mychatflow.store.session import Store
from pipelines import weekly_mail
from pipelines.assets.landing import OWNERS
from pipelines.resources import Installation


@dg.asset(
    key=["postgres", "report_mails"],
    group_name="growth",
    kinds={"python", "postgres"},
    owners=OWNERS,
    freshness_policy=dg.FreshnessPolicy.time_window(fail_window=timedelta(days=9), warn_window=timedelta(days=8)),
)
def report_mails(installation: dg.ResourceParam[Installation]) -> dg.MaterializeResult[None]:
    """E-mails of the week before. Grain: one per owner or admin and week. A rerun writes none twice."""
    settings = installation.settings
    written = installation.with_store(lambda store: _write(store, settings, at=datetime.now(UTC)))
    return dg.MaterializeResult(metadata={"dagster/row_count": written})


async def _write(store: Store, settings: Settings, *, at: datetime) -> int:
    async with store.platform_transaction() as transaction:
        everybody = await book.readers(transaction)
    written = 0
    for to in everybody:
        mails = weekly_mail.mails(settings, to, at=at)
        week = weekly_mail.week_before(at, to.timezone).since
        async with store.platform_transaction() as transaction:
            written += await book.write(transaction, mails, week=week, due_at=at)
    return written
