"""The three demo businesses, read from their files: who they are, when people write to them, and what is said."""

import functools
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import yaml

_FOLDER: Final = Path(__file__).with_name("businesses")
NAMES: Final = ("bella_dental", "lotus_lake", "casa_da_moda")
# Every id of the demo is made from this and a name, so that two runs write the same ids.
_NAMESPACE: Final = uuid.UUID("a6d1f0c2-3c39-5a54-9b0e-64656d6f6d63")


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """Something that can be booked."""

    name: str
    minutes: int
    price_cents: int
    currency: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Business:
    """One demo tenant. Texts are by language; `weekdays` and `day` say how often people write, by day and hour."""

    name: str
    session: str
    timezone: str
    plan: str
    industry: str
    description: str
    default_language: str
    contacts: int
    hours: Mapping[str, list[list[str]]]
    weekdays: list[float]
    day: list[float]
    languages: Mapping[str, float]
    services: tuple[Service, ...]
    resources: list[str]
    given: list[str]
    family: list[str]
    quick_replies: Mapping[str, list[list[str]]]
    openings: Mapping[str, list[str]]
    pairs: Mapping[str, list[list[str]]]
    thanks: Mapping[str, list[str]]
    welcome: Mapping[str, str]
    asking: Mapping[str, str]
    handoff: Mapping[str, list[str]]
    handed: Mapping[str, str]
    human: Mapping[str, list[str]]
    follow_up: Mapping[str, str]
    campaign: Mapping[str, str]
    stop: Mapping[str, str]
    stopped: Mapping[str, str]

    # Asked for with every row, so made once.
    tenant_id: uuid.UUID
    instance_id: uuid.UUID

    def id_of(self, thing: str) -> uuid.UUID:
        return _id_of(self.session, thing)


@functools.cache
def read_all() -> tuple[Business, ...]:
    """The businesses in the order of their names' list."""
    return tuple(_read(yaml.safe_load((_FOLDER / f"{name}.yaml").read_text())) for name in NAMES)


def _read(document: dict[str, Any]) -> Business:
    services = tuple(Service(**entry) for entry in document.pop("services"))
    session = document["session"]
    return Business(
        services=services,
        tenant_id=_id_of(session, "tenant"),
        instance_id=_id_of(session, "instance"),
        **document,
    )


@functools.lru_cache(maxsize=4_096)
def _id_of(session: str, thing: str) -> uuid.UUID:
    return uuid.uuid5(_NAMESPACE, f"{session}:{thing}")
