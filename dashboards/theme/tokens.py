"""The colours of the house, once: every page, chart and chip takes them from here, light and dark."""

from dataclasses import asdict, dataclass
from typing import Literal

ThemeName = Literal["light", "dark"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Palette:
    """One theme. A colour means one thing on all pages: a provider, a status, a step of an order."""

    name: ThemeName
    page: str
    card: str
    sidebar: str
    hairline: str
    grid: str
    track: str
    ink: str
    muted: str
    primary: str
    primary_soft: str
    indigo: str
    amber: str
    amber_text: str
    amber_soft: str
    coral: str
    coral_text: str
    coral_soft: str
    sky: str
    plum: str
    grey: str
    previous: str
    bubble: str
    heat: tuple[str, str, str, str, str, str]


LIGHT = Palette(
    name="light",
    page="#FAFAF7",
    card="#FFFFFF",
    sidebar="#F4F5F1",
    hairline="#E3E7E1",
    grid="#EBEEE9",
    track="#EEF1EC",
    ink="#17211D",
    muted="#626E68",
    primary="#0B7A5F",
    primary_soft="#E4F3ED",
    indigo="#5B6FDE",
    amber="#E3A03A",
    amber_text="#8A580A",
    amber_soft="#FBEFD9",
    coral="#DE6B54",
    coral_text="#B23C25",
    coral_soft="#FDE9E5",
    sky="#3A9FC4",
    plum="#9562B8",
    grey="#97A39D",
    previous="#B9C3BD",
    bubble="#EAF5F0",
    heat=("#F3F6F2", "#DCEBE3", "#A2CFBD", "#5AA98D", "#1A7D61", "#064A38"),
)
DARK = Palette(
    name="dark",
    page="#0D1311",
    card="#131B18",
    sidebar="#0B100E",
    hairline="#27322D",
    grid="#1F2925",
    track="#202926",
    ink="#E6ECE8",
    muted="#93A09A",
    primary="#37B88F",
    primary_soft="#173A2F",
    indigo="#8594F2",
    amber="#E8B04E",
    amber_text="#E8B04E",
    amber_soft="#3A2E16",
    coral="#EE7B67",
    coral_text="#F29A8A",
    coral_soft="#3D211C",
    sky="#5BBBDD",
    plum="#B98AD6",
    grey="#7D8A84",
    previous="#56635D",
    bubble="#17332A",
    heat=("#15201C", "#183029", "#1B5543", "#1F7E61", "#37B88F", "#7FD8BC"),
)


def provider_colour(palette: Palette, provider: str) -> str:
    """The same colour for a model's vendor wherever it appears."""
    known = {
        "openai": palette.primary,
        "gemini": palette.indigo,
        "anthropic": palette.amber,
        "sandbox": palette.sky,
    }
    return known.get(provider, palette.grey)


def shade(colour: str, share: float) -> str:
    """That colour at a share of its strength, for ordered data in one hue."""
    red, green, blue = (int(colour[index : index + 2], 16) for index in (1, 3, 5))
    return f"rgba({red},{green},{blue},{share:g})"


def css_variables(palette: Palette) -> str:
    """The palette as CSS custom properties, for the style sheet and the small HTML charts."""
    plain = {name: value for name, value in asdict(palette).items() if name not in {"name", "heat"}}
    steps = {f"heat-{number}": value for number, value in enumerate(palette.heat)}
    pairs = (plain | steps).items()
    return ":root{" + "".join(f"--mcf-{name.replace('_', '-')}:{value};" for name, value in pairs) + "}"
