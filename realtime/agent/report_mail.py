"""Sends the week's reports that the pipelines wrote, once each, to everybody who did not refuse."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Final

import structlog

from mychatflow.settings import Settings
from mychatflow.store import report_mails
from mychatflow.store.report_mails import Mail
from mychatflow.store.session import Store
from realtime import rounds
from realtime.channels.resend import Email, EmailOutcome, Resend

_EVERY_SECONDS: Final = 30.0
_PAUSE: Final = timedelta(minutes=10)
_MOST: Final = 20
log = structlog.get_logger(__name__)


class ReportMails:
    def __init__(self, store: Store, settings: Settings) -> None:
        self._store = store
        self._settings = settings

    async def run(self, stopping: asyncio.Event) -> None:
        async with Resend(self._settings) as resend:
            await rounds.keep_looking(
                lambda: self.send_due(resend),
                seconds=_EVERY_SECONDS,
                stopping=stopping,
                while_away="reports wait for Postgres",
            )

    async def send_due(self, resend: Resend) -> int:
        """What Resend could not take now is due again after a pause. Returns how many went."""
        async with self._store.platform_transaction() as transaction:
            due = await report_mails.claim(transaction, at=datetime.now(UTC), pause=_PAUSE, most=_MOST)
        outcomes = [await self._send(mail, resend) for mail in due]
        return outcomes.count(EmailOutcome.SENT)

    async def _send(self, mail: Mail, resend: Resend) -> EmailOutcome:
        outcome = EmailOutcome.REFUSED
        if not mail.is_refused:
            email = Email(
                key=f"report:{mail.id}",
                to=(mail.email,),
                subject=mail.subject,
                text=mail.body_text,
                html=mail.body_html,
            )
            outcome = await resend.send(email)
        if outcome is not EmailOutcome.RETRY:
            async with self._store.platform_transaction() as transaction:
                await report_mails.sent(transaction, mail, at=datetime.now(UTC))
        log.info("report e-mailed", tenant_id=str(mail.tenant_id), outcome=outcome)
        return outcome
