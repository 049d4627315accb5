"""What a business writes once and sends to many: text with variables, each with a value, a default or a clear fault."""

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import ClassVar, Final

# What is known of every tenant's contacts; a tenant's own attributes follow as attributes.<key>.
BUILT_IN: Final = ("name", "first_name", "phone", "business_name")
ATTRIBUTE: Final = "attributes."
LONGEST: Final = 4_096
_VARIABLE: Final = re.compile(r"\{\{([^{}|]*)(?:\|([^{}]*))?\}\}|\{([a-z][a-z0-9_.]*)\}")
_LONGEST_VALUE: Final = 200


class InvalidTemplate(ValueError):
    """A template that nobody can fill in; `variable` names which, where it is one."""

    field: ClassVar = "template"

    def __init__(self, fault: str, *, variable: str | None = None) -> None:
        super().__init__(fault)
        self.variable = variable


@dataclass(frozen=True, slots=True)
class Variable:
    """`{{name|friend}}`: without a value it reads as its default; None is no default."""

    name: str
    default: str | None


@dataclass(frozen=True, slots=True)
class Template:
    parts: tuple[str | Variable, ...]

    @property
    def variables(self) -> tuple[Variable, ...]:
        return tuple(part for part in self.parts if isinstance(part, Variable))

    def required(self) -> tuple[str, ...]:
        """The variables that must be known of a contact, since the template states no default."""
        return tuple(dict.fromkeys(each.name for each in self.variables if each.default is None))

    def missing(self, values: Mapping[str, str | None]) -> tuple[str, ...]:
        return tuple(name for name in self.required() if not _clean(values.get(name)))

    def render(self, values: Mapping[str, str | None]) -> str:
        """What is neither known nor has a default leaves no gap."""
        written = ""
        for part in self.parts:
            if isinstance(part, str):
                written += part
                continue
            value = _clean(values.get(part.name)) or part.default or ""
            written = written + value if value else written.removesuffix(" ")
        return written.strip()[:LONGEST]


def parse(text: str, *, attributes: Collection[str] | None = ()) -> Template:
    """Raises InvalidTemplate for a brace that is not closed or a variable that no contact has.

    Without a list of attributes any may stand in it: that was checked when the text was saved.
    """
    parts: list[str | Variable] = []
    end = 0
    for found in _VARIABLE.finditer(text):
        parts.append(_plain(text[end : found.start()]))
        name = (found[1] if found[3] is None else found[3]).strip()
        _refuse_unknown(name, attributes)
        parts.append(Variable(name, found[2].strip() if found[2] is not None else None))
        end = found.end()
    parts.append(_plain(text[end:]))
    return Template(tuple(part for part in parts if part != ""))


def values_of(
    *,
    name: str | None,
    phone: str | None = None,
    business_name: str | None = None,
    attributes: Mapping[str, object] | None = None,
) -> dict[str, str | None]:
    """What a template may say of one contact."""
    words = (name or "").split()
    own = {f"{ATTRIBUTE}{key}": _written(value) for key, value in (attributes or {}).items()}
    return own | {
        "name": name,
        "first_name": words[0] if words else None,
        "phone": phone,
        "business_name": business_name,
    }


def _refuse_unknown(name: str, attributes: Collection[str] | None) -> None:
    is_own = name.startswith(ATTRIBUTE) and (attributes is None or name.removeprefix(ATTRIBUTE) in attributes)
    if name in BUILT_IN or is_own:
        return
    known = ", ".join((*BUILT_IN, *(f"{ATTRIBUTE}{key}" for key in sorted(attributes or ()))))
    raise InvalidTemplate(f"there is no variable {name!r}; known are {known}", variable=name)


def _plain(text: str) -> str:
    if "{{" in text or "}}" in text:
        raise InvalidTemplate("a variable's braces are not closed; write it like {{name|friend}}")
    return text


def _written(value: object) -> str | None:
    match value:
        case None:
            return None
        case bool():
            return "yes" if value else "no"
        case float() if value.is_integer():
            return str(int(value))
        case _:
            return str(value)


def _clean(value: str | None) -> str:
    """One line without control characters: a customer chose their own name."""
    printable = "".join(sign if sign.isprintable() else " " for sign in value or "")
    return " ".join(printable.split())[:_LONGEST_VALUE]
