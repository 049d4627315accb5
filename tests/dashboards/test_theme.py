"""The look is one truth: configuration follows the colours, text can be read, fonts are ours."""

from pathlib import Path

import pytest

from dashboards.theme import config, tokens
from dashboards.theme.tokens import DARK, LIGHT, Palette

_STATIC = Path(config.__file__).parents[1] / "static"


def test_the_committed_configuration_follows_the_colours() -> None:
    assert config.CONFIG_FILE.read_text(encoding="utf-8") == config.render()


@pytest.mark.parametrize("palette", [LIGHT, DARK], ids=["light", "dark"])
@pytest.mark.parametrize("ink", ["ink", "muted", "primary", "amber_text", "coral_text"])
@pytest.mark.parametrize(
    "paper", ["card", "page", "sidebar", "track", "bubble", "primary_soft", "amber_soft", "coral_soft"]
)
def test_text_is_readable(palette: Palette, ink: str, paper: str) -> None:
    assert contrast(getattr(palette, ink), getattr(palette, paper)) >= 4.5


def test_fonts_are_served_by_ourselves() -> None:
    written = config.render()

    assert "http" not in written
    assert (_STATIC / "inter-latin.woff2").read_bytes().startswith(b"wOF2")
    assert "SIL Open Font License" in (_STATIC / "inter-LICENSE.txt").read_text(encoding="utf-8")


def test_the_style_sheet_fetches_nothing() -> None:
    style = (Path(config.__file__).parent / "style.css").read_text(encoding="utf-8")

    assert "@import" not in style
    assert all(address.startswith(('"data:', "data:")) for address in style.split("url(")[1:])


def test_every_step_of_the_week_is_darker() -> None:
    lights = [luminance(step) for step in LIGHT.heat]

    assert lights == sorted(lights, reverse=True)


def test_a_vendor_keeps_its_colour() -> None:
    assert tokens.provider_colour(LIGHT, "openai") == LIGHT.primary
    assert tokens.provider_colour(DARK, "anthropic") == DARK.amber
    assert tokens.provider_colour(DARK, "unheard of") == DARK.grey


def contrast(first: str, second: str) -> float:
    high, low = sorted((luminance(first), luminance(second)), reverse=True)
    return (high + 0.05) / (low + 0.05)


def luminance(colour: str) -> float:
    parts = [int(colour[index : index + 2], 16) / 255 for index in (1, 3, 5)]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue
