"""Webhooks that we took but cannot place: kept whole and encrypted for an operator, each once."""

import uuid
from typing import Final

from mychatflow.store.cipher import TenantCipher
from realtime.engine.pool import Pool

_NAMESPACE: Final = uuid.UUID("0b1ce0de-5c1e-5b7e-9a55-6465616477b5")
_KEEP: Final = """
insert into dead_letters (id, source, session, message_id, reason, payload)
values (%(id)s, 'webhook', %(session)s, %(message_id)s, %(reason)s, %(payload)b)
on conflict (id) do nothing
"""


class DeadLetters:
    """A repeated delivery of the same bytes is the same letter."""

    def __init__(self, pool: Pool, cipher: TenantCipher) -> None:
        self._pool = pool
        self._cipher = cipher

    async def keep(self, raw: bytes, *, session: str, message_id: str | None, reason: str) -> None:
        """Raises psycopg.OperationalError when Postgres is away."""
        letter_id = uuid.uuid5(_NAMESPACE, raw.hex())
        payload = self._cipher.encrypt(raw.decode(errors="replace"), row_id=letter_id)
        async with self._pool.connection() as connection:
            await connection.execute(
                _KEEP,
                {
                    "id": letter_id,
                    "session": _storable(session),
                    "message_id": _storable(message_id),
                    "reason": reason,
                    "payload": payload,
                },
            )


def _storable(value: str | None) -> str | None:
    return None if value is None else value.replace("\x00", "\ufffd")[:200]
