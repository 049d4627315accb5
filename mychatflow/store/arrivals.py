"""Lets people in who are awaited: the first time that they sign in with the address they were invited at."""

from datetime import datetime

from mychatflow.store import audit, directory, team
from mychatflow.store.session import Store


async def welcome(store: Store, subject: str, *, address: str, name: str | None, at: datetime) -> int:
    """Into how many teams they came. `address` must be one that the identity provider has verified."""
    async with store.platform_transaction() as transaction:
        # Nothing is kept of a stranger whom nobody waits for.
        if not await team.is_awaited(transaction, address, at=at):
            return 0
        await directory.tell_user(transaction, subject, email=address, name=name, at=None)
        person = await directory.locked_person(transaction, subject)
        if person is None or person.deleted_at is not None:
            return 0
        joined = await team.welcome(transaction, user_id=person.user_id, email=address, at=at)
        async with store.audit_transaction() as record:
            for member in joined:
                await audit.record(
                    record,
                    member["tenant_id"],
                    actor=f"member:{member['member_id']}",
                    action="member.joined",
                    subject=str(member["member_id"]),
                    detail={"role": member["role"]},
                    at=at,
                )
    return len(joined)
