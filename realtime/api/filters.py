"""A filter of contacts that somebody saves asks for attributes that there are, by values that they can have."""

from collections.abc import Mapping, Sequence

from mychatflow.rules import attributes
from mychatflow.rules.attributes import Definition, InvalidAttribute
from mychatflow.rules.contact_filter import ContactFilter
from realtime.api import problems


def refuse_unknown(definitions: Mapping[str, Definition], wanted: ContactFilter, *, where: Sequence[str | int]) -> None:
    """Raises Problem: nobody would have such a value, and "is not" would mean everybody."""
    for index, each in enumerate(wanted.attributes):
        value = None if each.comparison == "is_set" else each.value
        try:
            attributes.checked(definitions, {each.key: value})
        except InvalidAttribute as invalid:
            raise problems.invalid((*where, "attributes", index), str(invalid)) from invalid
