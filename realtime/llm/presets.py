"""Which models answer a tenant, in which order: presets are data, the tenant's own choice comes first."""

import functools
from collections.abc import Collection, Mapping
from pathlib import Path

import yaml

from realtime.llm.contract import SANDBOX, Target

Choice = tuple[str | None, str | None]
PROVIDERS = ("openai", "anthropic", "gemini")
DEFAULT = "fast"
SANDBOX_TARGET = Target(provider=SANDBOX, model="quick-replies")
_FILE = Path(__file__).with_name("presets.yaml")


def targets(
    preset: str,
    *,
    primary: Choice | None,
    fallback: Choice | None,
    available: Collection[str],
    must_see: bool = False,
) -> tuple[Target, ...]:
    """The targets to ask, first to last, of the providers that have a key; the sandbox when none has.

    With `must_see` none that is blind: a chosen model that sees no pictures gives way to its provider's that does.

    `preset` is `fast`, `quality` or `vision`, or one of a dated catalogue: `spec-2026-01/fast`.
    `primary` and `fallback` are (provider, model) as the tenant's settings hold them, each part may be missing.
    """
    if primary and primary[0] == SANDBOX:
        return (SANDBOX_TARGET,)
    known = _of(preset)
    if must_see:
        primary, fallback = _seeing(primary), _seeing(fallback)
    first = _chosen(primary, known) or known[0]
    second = _chosen(fallback, known) or next((pair for pair in known if pair[0] != first[0]), first)
    rest = (pair for pair in known if pair[0] not in {first[0], second[0]})
    order = dict.fromkeys(
        pair for pair in (first, second, *rest) if pair[0] in available and (not must_see or sees(*pair))
    )
    return tuple(Target(provider=provider, model=model) for provider, model in order) or (SANDBOX_TARGET,)


def sees(provider: str, model: str) -> bool:
    """Whether the model looks at pictures; one that we do not know is not shown any."""
    marks = _document()["sees"]
    assert isinstance(marks, dict)
    return model.startswith(tuple(marks.get(provider, ())))


def _seeing(choice: Choice | None) -> Choice | None:
    if choice is None or not choice[0] or not choice[1]:
        return choice
    return choice if sees(choice[0], choice[1]) else (choice[0], None)


def names() -> tuple[str, ...]:
    """Every preset that a tenant may choose."""
    dated = (f"{catalogue}/{preset}" for catalogue, presets in _catalogues().items() for preset in presets)
    return (*_catalogues()[_shipped()], *dated)


def _chosen(choice: Choice | None, known: tuple[tuple[str, str], ...]) -> tuple[str, str] | None:
    """The tenant's choice, with the preset's model where it names only a provider."""
    if choice is None or not choice[0]:
        return None
    model = choice[1] or next((name for provider, name in (*known, *_of(DEFAULT)) if provider == choice[0]), None)
    return (choice[0], model) if model else None


def _of(preset: str) -> tuple[tuple[str, str], ...]:
    catalogue, _, name = preset.rpartition("/")
    presets = _catalogues().get(catalogue or _shipped(), _catalogues()[_shipped()])
    # A preset that was retired since the tenant chose it must not cost a customer the answer.
    return presets.get(name) or presets[DEFAULT]


def _shipped() -> str:
    return str(_document()["shipped"])


def _catalogues() -> Mapping[str, Mapping[str, tuple[tuple[str, str], ...]]]:
    catalogues = _document()["catalogues"]
    assert isinstance(catalogues, dict)
    return catalogues


@functools.cache
def _document() -> dict[str, object]:
    document = yaml.safe_load(_FILE.read_text())
    document["catalogues"] = {
        catalogue: {name: tuple((provider, model) for provider, model in pairs) for name, pairs in presets.items()}
        for catalogue, presets in document["catalogues"].items()
    }
    return dict(document)
