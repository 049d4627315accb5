"""What callers may send: only the named fields, within their limits, without characters that nothing can store."""

from typing import Annotated, Any, Final, cast

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints, model_validator


class Body(BaseModel):
    """A request's body: an unknown field is refused, never ignored."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    @model_validator(mode="before")
    @classmethod
    def _storable(cls, value: Any) -> Any:
        refuse_unstorable(value)
        return value


class Shown(BaseModel):
    """What an answer shows."""

    model_config = ConfigDict(frozen=True)


def shown_as(example: dict[str, Any]) -> ConfigDict:
    """How a body looks in the reference; a test sends each example through its own model."""
    return ConfigDict(json_schema_extra=cast("Any", {"examples": [example]}))


def refuse_unstorable(value: Any) -> None:
    """Postgres has no text with a NUL character, and half a character is none: JSON can write both."""
    match value:
        case str() if "\x00" in value:
            raise ValueError("must not hold NUL characters")
        case str() if not value.isascii() and any("\ud800" <= sign <= "\udfff" for sign in value):
            raise ValueError("must not hold half a character (a surrogate without its other half)")
        case dict():
            for name, inner in value.items():
                refuse_unstorable(name)
                refuse_unstorable(inner)
        case list():
            for inner in value:
                refuse_unstorable(inner)
        case _:
            return


def _distinct(value: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(value))


Line = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200)]
Text = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=4_000)]
Tag = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=50)]
MOST_TAGS: Final = 50
Tags = Annotated[tuple[Tag, ...], Field(max_length=MOST_TAGS), AfterValidator(_distinct)]
LanguageCode = Annotated[str, StringConstraints(pattern=r"^[a-z]{2}$")]
