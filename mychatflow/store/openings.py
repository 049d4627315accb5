"""Who opened whose words, on record: once an hour for each reader and person, so that a busy inbox fills no log."""

from collections import OrderedDict
from datetime import datetime
from typing import Final
from uuid import UUID

from mychatflow.store import audit
from mychatflow.store.session import Store

_MOST: Final = 50_000
_Opening = tuple[UUID, str, str, UUID, str]


class Openings:
    """One per process: what it has written already it need not write again."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._known: OrderedDict[_Opening, None] = OrderedDict()

    async def record(self, tenant_id: UUID, *, actor: str, what: str, contact_id: UUID, at: datetime) -> None:
        """Before anything is shown."""
        opening = (tenant_id, actor, what, contact_id, f"{at:%Y-%m-%dT%H}")
        if opening in self._known:
            return
        async with self._store.audit_transaction() as transaction:
            await audit.record(
                transaction, tenant_id, actor=actor, action=f"{what}.opened", subject=str(contact_id), at=at
            )
        self._known[opening] = None
        if len(self._known) > _MOST:
            self._known.popitem(last=False)
