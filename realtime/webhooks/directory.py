"""Which tenant a gateway session belongs to, with its keys: looked up once and remembered for a few seconds."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

import structlog
from psycopg import AsyncConnection

from mychatflow.store.cipher import KeyRing, TenantCipher, Unreadable
from realtime.engine.batcher import Batcher
from realtime.engine.pool import Pool

_SECONDS: Final = 5.0
_MOST_SESSIONS: Final = 20_000
_LONGEST_SESSION: Final = 200
_FIND: Final = """
select
    instances.session,
    instances.tenant_id,
    instances.id,
    instances.webhook_secret,
    coalesce(settings.debounce_ms, 500) as debounce_ms,
    coalesce(keys.versions, '{}') as key_versions,
    coalesce(keys.wrapped, '{}') as wrapped_keys,
    tenants.deleted_at is not null as has_ended
from instances
inner join tenants on tenants.id = instances.tenant_id
left join settings on settings.tenant_id = instances.tenant_id
left join lateral (
    select
        array_agg(tenant_keys.id order by tenant_keys.id) as versions,
        array_agg(tenant_keys.wrapped_key order by tenant_keys.id) as wrapped
    from tenant_keys
    where tenant_keys.tenant_id = instances.tenant_id
) as keys on true
where instances.session = any(%(sessions)b::text[])
"""
_MAKE_KEY: Final = """
insert into tenant_keys (tenant_id, id, wrapped_key)
select id, 1, %(wrapped_key)s from tenants where id = %(tenant_id)s and deleted_at is null
on conflict do nothing
"""
log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Instance:
    """A WhatsApp number as the webhook needs it."""

    tenant_id: UUID
    instance_id: UUID
    session: str
    debounce_ms: int
    # The number's own HMAC keys; without any, the default keys sign its webhooks.
    webhook_keys: tuple[bytes, ...]
    cipher: TenantCipher


class Directory:
    """Session → instance. An unknown session is remembered too, so that strangers do not cost a query each."""

    def __init__(self, pool: Pool, key_ring: KeyRing) -> None:
        self._pool = pool
        self._key_ring = key_ring
        self._known: dict[str, tuple[float, Instance | None]] = {}
        self._ended: set[str] = set()
        self._lookups: Batcher[str, Instance | None] = Batcher(self._look_up, max_size=200)

    def remembered(self, session: str) -> tuple[bool, Instance | None]:
        """Whether it is known at this moment without asking, and the instance if there is one."""
        expires_at, instance = self._known.get(session, (0.0, None))
        return time.monotonic() < expires_at, instance

    async def find(self, session: str) -> Instance | None:
        """Raises psycopg.OperationalError when Postgres is away."""
        is_known, instance = self.remembered(session)
        if is_known or len(session) > _LONGEST_SESSION:
            return instance
        return await self._lookups.submit(session)

    def has_ended(self, session: str) -> bool:
        """Whether a session that has no instance was, when last looked up, a number of a business that has ended."""
        return session in self._ended

    def forget(self, session: str) -> None:
        self._known.pop(session, None)

    async def _look_up(self, sessions: list[str]) -> Sequence[Instance | None]:
        async with self._pool.connection() as connection:
            rows = await (await connection.execute(_FIND, {"sessions": sessions})).fetchall()
            found = {row[0]: await self._instance(connection, *row) for *row, has_ended in rows if not has_ended}
        if len(self._known) > _MOST_SESSIONS:
            self._known.clear()
            self._ended.clear()
        self._ended.difference_update(sessions)
        self._ended.update(session for session, *_, has_ended in rows if has_ended)
        expires_at = time.monotonic() + _SECONDS
        self._known |= {session: (expires_at, found.get(session)) for session in sessions}
        return [found.get(session) for session in sessions]

    async def _instance(
        self,
        connection: AsyncConnection[Any],
        session: str,
        tenant_id: UUID,
        instance_id: UUID,
        secret: bytes | None,
        debounce_ms: int,
        versions: list[int],
        wrapped: list[bytes],
    ) -> Instance:
        keys = dict(zip(versions, wrapped, strict=True)) or await self._made_key(connection, tenant_id)
        cipher = self._key_ring.remember(tenant_id, keys)
        return Instance(
            tenant_id=tenant_id,
            instance_id=instance_id,
            session=session,
            debounce_ms=debounce_ms,
            webhook_keys=_webhook_keys(secret, cipher, instance_id),
            cipher=cipher,
        )

    async def _made_key(self, connection: AsyncConnection[Any], tenant_id: UUID) -> dict[int, bytes]:
        await connection.execute(
            _MAKE_KEY, {"tenant_id": tenant_id, "wrapped_key": self._key_ring.wrap_new_key(tenant_id)}
        )
        # Another process may have been first: what stands in the table is the key.
        found = await connection.execute("select id, wrapped_key from tenant_keys where tenant_id = %s", (tenant_id,))
        return dict(await found.fetchall())


def _webhook_keys(secret: bytes | None, cipher: TenantCipher, instance_id: UUID) -> tuple[bytes, ...]:
    """The keys in `webhook_secret`, separated by commas while rotating."""
    if secret is None:
        return ()
    try:
        plain = cipher.decrypt(secret, row_id=instance_id)
    except Unreadable:
        # A secret that we cannot read must let nobody in, not fall back to the default key.
        log.exception("webhook secret unreadable", instance_id=str(instance_id))
        return (cipher.token_key,)
    return tuple(key.encode() for key in (part.strip() for part in plain.split(",")) if key) or (cipher.token_key,)
