"""Puts on record that a reply would have told a customer what is the business's alone; the reply itself was refused."""

from datetime import UTC, datetime

import structlog

from mychatflow.rules import guard
from mychatflow.store import audit
from mychatflow.store.session import Store
from realtime.agent.drafting import Draft
from realtime.agent.scene import Scene

log = structlog.get_logger(__name__)


class LeakRecord:
    """The audit log's door for the agent: a leak that was stopped is an attack that somebody should hear of."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def keep(self, scene: Scene, draft: Draft, *, is_rehearsal: bool = False) -> None:
        """Which check stopped what message's answer, never the words of either; a turn begun anew repeats its row.

        A rehearsal's message is stored nowhere: its row names the turn, by which its calls to models are booked.
        """
        stopped = [reason.value for reason in draft.refused if reason in guard.LEAKS]
        if not stopped:
            return
        log.warning("leak refused", tenant_id=str(scene.tenant_id), checks=stopped)
        async with self._store.audit_transaction() as transaction:
            await audit.record(
                transaction,
                scene.tenant_id,
                actor="agent",
                action="reply.leak_refused",
                subject=str(scene.turn_id if is_rehearsal else scene.reading.customer[-1].interaction_id),
                detail={"checks": stopped, "provider": draft.provider, "model": draft.model}
                | ({"rehearsal": True} if is_rehearsal else {}),
                at=datetime.now(UTC),
            )
