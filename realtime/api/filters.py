"""A filter of contacts that somebody saves asks for attributes that there are, by values that they can have."""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from mychatflow.rules import attributes
from mychatflow.rules.attributes import InvalidAttribute
from mychatflow.rules.contact_filter import ContactFilter
from mychatflow.store import contact_attributes
from realtime.api import problems


async def refuse_unknown(
    transaction: AsyncConnection, tenant_id: UUID, wanted: ContactFilter, *, where: Sequence[str | int]
) -> None:
    """Raises Problem: nobody would have such a value, and "is not" would mean everybody."""
    if not wanted.attributes:
        return
    definitions = await contact_attributes.definitions(transaction, tenant_id)
    for index, each in enumerate(wanted.attributes):
        value = None if each.comparison == "is_set" else each.value
        try:
            attributes.checked(definitions, {each.key: value})
        except InvalidAttribute as invalid:
            raise problems.invalid((*where, "attributes", index), str(invalid)) from invalid
