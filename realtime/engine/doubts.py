"""Says in the audit log, before it happens, that a message goes out again though nobody knows whether it arrived."""

from datetime import UTC, datetime

from mychatflow.store import audit
from mychatflow.store.session import Store
from realtime.engine.parcel import Parcel
from realtime.engine.work import Chat


class Doubts:
    """The one window of WEBJS and of files, which take no id of ours: accepted, and not in the history yet."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def note(self, chat: Chat, parcel: Parcel) -> None:
        """Raises SQLAlchemy's errors when Postgres is away: then nothing may be sent."""
        async with self._store.audit_transaction() as transaction:
            await audit.record(
                transaction,
                chat.lease.tenant_id,
                actor="courier",
                action="message.ambiguous",
                subject=str(parcel.outbox_id),
                detail={"instance_id": str(chat.lease.instance_id), "attempt": parcel.attempts},
                at=datetime.now(UTC),
            )
