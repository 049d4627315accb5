"""E-mails that are due: claimed, sent and marked as done; what could not be taken now is due again in a minute."""

import asyncio
from dataclasses import dataclass
from typing import Final, Generic, LiteralString, Protocol, TypeVar
from uuid import UUID

import structlog
from psycopg.rows import class_row

from realtime import rounds
from realtime.channels.resend import Email, EmailOutcome, Resend
from realtime.engine.pool import Pool

_MOST: Final = 50
log = structlog.get_logger(__name__)


class Letter(Protocol):
    """A row that is to be told of by e-mail."""

    @property
    def tenant_id(self) -> UUID: ...

    @property
    def id(self) -> UUID: ...

    def written(self, dashboards_url: str | None) -> Email | None:
        """None when nobody is there to read it."""


_Letter = TypeVar("_Letter", bound=Letter)


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind(Generic[_Letter]):
    """Why people are written to, and every how many seconds somebody looks whether they are to be.

    `claim` takes `most` and returns rows of `letter`; it moves their due time on by a minute, so a worker that dies
    costs that. `done` takes their `tenant_ids` and `ids`.
    """

    name: str
    letter: type[_Letter]
    claim: LiteralString
    done: LiteralString
    seconds: float


class DueMail(Generic[_Letter]):
    def __init__(self, kind: Kind[_Letter], pool: Pool, resend: Resend, *, dashboards_url: str | None) -> None:
        self._kind = kind
        self._pool = pool
        self._resend = resend
        self._dashboards_url = dashboards_url

    async def run(self, stopping: asyncio.Event) -> None:
        away = f"{self._kind.name} wait for Postgres"
        await rounds.keep_looking(self.send_due, seconds=self._kind.seconds, stopping=stopping, while_away=away)

    async def send_due(self) -> int:
        """Returns how many went. One that went twice is one e-mail: Resend knows its key."""
        letter = class_row(self._kind.letter)
        async with self._pool.connection() as connection, connection.cursor(row_factory=letter) as cursor:
            await cursor.execute(self._kind.claim, {"most": _MOST})
            due = await cursor.fetchall()
        outcomes = await asyncio.gather(*(self._send(each) for each in due))
        ended = [each for each, outcome in zip(due, outcomes, strict=True) if outcome is not EmailOutcome.RETRY]
        if ended:
            keys = {"tenant_ids": [each.tenant_id for each in ended], "ids": [each.id for each in ended]}
            async with self._pool.connection() as connection:
                await connection.execute(self._kind.done, keys)
        sent = outcomes.count(EmailOutcome.SENT)
        if sent:
            log.info("e-mails sent", kind=self._kind.name, count=sent)
        return sent

    async def _send(self, letter: _Letter) -> EmailOutcome:
        email = letter.written(self._dashboards_url)
        return EmailOutcome.REFUSED if email is None else await self._resend.send(email)
