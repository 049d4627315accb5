"""E-mails that are due: claimed, sent and marked as done; what could not be taken now is due again in a minute."""

import asyncio
from typing import Final, LiteralString, Protocol, TypeVar
from uuid import UUID

from psycopg.rows import class_row

from realtime.channels.resend import Email, EmailOutcome, Resend
from realtime.engine.pool import Pool

_MOST: Final = 50


class Letter(Protocol):
    """A row that is to be told of by e-mail."""

    @property
    def tenant_id(self) -> UUID: ...

    @property
    def id(self) -> UUID: ...

    def written(self, dashboards_url: str | None) -> Email | None:
        """None when nobody is there to read it."""


_Letter = TypeVar("_Letter", bound=Letter)


async def send(
    pool: Pool,
    resend: Resend,
    kind: type[_Letter],
    *,
    claim: LiteralString,
    done: LiteralString,
    dashboards_url: str | None,
) -> int:
    """How many went. `claim` moves the due time on by a minute, so a worker that dies costs that; Resend knows the key.

    `claim` takes `most` and returns rows of that kind; `done` takes their `tenant_ids` and `ids`.
    """
    async with pool.connection() as connection, connection.cursor(row_factory=class_row(kind)) as cursor:
        await cursor.execute(claim, {"most": _MOST})
        due = await cursor.fetchall()
    outcomes = await asyncio.gather(*(_send(resend, letter.written(dashboards_url)) for letter in due))
    ended = [letter for letter, outcome in zip(due, outcomes, strict=True) if outcome is not EmailOutcome.RETRY]
    if ended:
        keys = {"tenant_ids": [letter.tenant_id for letter in ended], "ids": [letter.id for letter in ended]}
        async with pool.connection() as connection:
            await connection.execute(done, keys)
    return outcomes.count(EmailOutcome.SENT)


async def _send(resend: Resend, email: Email | None) -> EmailOutcome:
    return EmailOutcome.REFUSED if email is None else await resend.send(email)
