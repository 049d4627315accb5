"""A preset says who is asked first, second and third; the tenant's own choice comes first."""

from datetime import UTC, datetime

import pytest

from realtime.llm import accounting, presets

EVERYBODY = presets.PROVIDERS
OPENAI, ANTHROPIC, GEMINI = "openai:gpt-4o-mini", "anthropic:claude-3-5-haiku-latest", "gemini:gemini-2.0-flash"


def names(preset, *, primary=None, fallback=None, available=EVERYBODY):
    return [target.name for target in presets.targets(preset, primary=primary, fallback=fallback, available=available)]


@pytest.mark.parametrize(
    ("preset", "order"),
    [
        ("fast", ["openai:gpt-4o-mini", "anthropic:claude-3-5-haiku-latest", "gemini:gemini-2.0-flash"]),
        ("quality", ["openai:gpt-4o", "anthropic:claude-3-5-sonnet-latest", "gemini:gemini-1.5-pro"]),
        ("vision", ["gemini:gemini-2.0-flash", "openai:gpt-4o"]),
    ],
)
def test_the_specifications_presets_are_kept(preset, order):
    assert names(f"spec-2026-01/{preset}") == order


def test_shipped_presets_use_current_names():
    assert names("fast") == ["openai:gpt-5.4-mini", "anthropic:claude-haiku-4-5", "gemini:gemini-3.5-flash-lite"]
    assert len(names("vision")) == 2


@pytest.mark.parametrize(
    ("primary", "fallback", "order"),
    [
        ((None, None), (None, None), [OPENAI, ANTHROPIC, GEMINI]),
        (("gemini", None), None, [GEMINI, OPENAI, ANTHROPIC]),
        (("openai", "own"), ("gemini", "other"), ["openai:own", "gemini:other", ANTHROPIC]),
        (("openai", "own"), ("openai", "own"), ["openai:own", ANTHROPIC, GEMINI]),
        (("openai", "a"), ("openai", "b"), ["openai:a", "openai:b", ANTHROPIC, GEMINI]),
    ],
)
def test_the_tenants_choice_comes_first(primary, fallback, order):
    assert names("spec-2026-01/fast", primary=primary, fallback=fallback) == order


def test_a_provider_without_key_is_skipped():
    assert names("fast", available={"gemini", "anthropic"}) == [
        "anthropic:claude-haiku-4-5",
        "gemini:gemini-3.5-flash-lite",
    ]


def test_without_any_key_the_sandbox_answers():
    assert names("fast", available=()) == ["sandbox:quick-replies"]
    assert names("fast", primary=("openai", "own"), available=()) == ["sandbox:quick-replies"]


def test_an_unknown_preset_still_answers():
    assert names("retired-2020/cheap") == names("fast")


@pytest.mark.parametrize("preset", presets.names())
def test_every_model_of_a_preset_has_a_price_of_its_own(preset):
    for target in presets.targets(preset, primary=None, fallback=None, available=EVERYBODY):
        usage = accounting.Usage(input_tokens=1000, output_tokens=1000)
        cost = accounting.cost_of(
            usage, provider=target.provider, model=target.model, at=datetime(2026, 11, 26, tzinfo=UTC)
        )
        assert cost.micro_usd, target.name
        # What is priced as `otherwise` says so.
        assert not cost.is_estimated, target.name


@pytest.mark.parametrize(
    ("primary", "order"),
    [
        (("openai", "o3-mini"), ["openai:gpt-5.5", "gemini:gemini-3.5-flash"]),
        (("anthropic", "claude-2"), ["anthropic:claude-haiku-4-5", "gemini:gemini-3.5-flash", "openai:gpt-5.5"]),
        (("openai", "gpt-4o"), ["openai:gpt-4o", "gemini:gemini-3.5-flash"]),
        (None, ["gemini:gemini-3.5-flash", "openai:gpt-5.5"]),
    ],
)
def test_a_blind_model_is_shown_no_picture(primary, order):
    found = presets.targets("vision", primary=primary, fallback=None, available=presets.PROVIDERS, must_see=True)

    assert [target.name for target in found] == order


def test_every_shipped_vision_model_sees():
    found = presets.targets("vision", primary=None, fallback=None, available=presets.PROVIDERS)

    assert all(presets.sees(target.provider, target.model) for target in found)
