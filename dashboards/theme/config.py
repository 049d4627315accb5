"""Writes Streamlit's configuration file from the colours of the house: `python -m dashboards.theme.config`."""

from pathlib import Path

from dashboards.theme.tokens import DARK, LIGHT, Palette

CONFIG_FILE = Path(__file__).parent.parent / ".streamlit" / "config.toml"
_LATIN = (
    "U+0000-00FF, U+0131, U+0152-0153, U+02BB-02BC, U+02C6, U+02DA, U+02DC, U+0304, U+0308, U+0329, U+2000-206F, "
    "U+20AC, U+2122, U+2191, U+2193, U+2212, U+2215, U+FEFF, U+FFFD"
)
_LATIN_EXTENDED = (
    "U+0100-02BA, U+02BD-02C5, U+02C7-02CC, U+02CE-02D7, U+02DD-02FF, U+0304, U+0308, U+0329, U+1D00-1DBF, "
    "U+1E00-1E9F, U+1EF2-1EFF, U+2020, U+20A0-20AB, U+20AD-20C0, U+2113, U+2C60-2C7F, U+A720-A7FF"
)
# Streamlit's usual level logs each request, whatever uvicorn is told; addresses of pages carry filters.
# After each run of a page Streamlit would collect all that lives in the process; Python does so when it is worth it.
# Rich tracebacks would write the values of local variables, an address with its password among them, to the log.
# A saved view or the last page says what is chosen, and a default holds for who has neither: that is no mistake.
_GENERAL = """\
# Written by `python -m dashboards.theme.config` from dashboards/theme/tokens.py; a test keeps them equal.
[global]
disableWidgetStateDuplicationWarning = true

[client]
showErrorDetails = "none"
showErrorLinks = false
toolbarMode = "minimal"

[logger]
enableRich = false
level = "warning"

[runner]
magicEnabled = false
postScriptGC = false

[browser]
gatherUsageStats = false

[server]
enableStaticServing = true
fileWatcherType = "none"
headless = true
maxCacheDataSize = "256MB"
maxUploadSize = 1

[theme]
font = "Inter, system-ui, sans-serif"
headingFont = "Inter, system-ui, sans-serif"
baseFontSize = 14
baseRadius = "8px"
buttonRadius = "8px"
metricValueFontSize = "28px"
metricValueFontWeight = 600
showSidebarBorder = true
paddingTop = "4.75rem"
headingFontSizes = ["26px", "20px", "15px", "14px", "13px", "12px"]
headingFontWeights = [650, 650, 600, 600, 600, 600]
"""


def render() -> str:
    """The whole configuration file."""
    faces = _face("inter-latin.woff2", _LATIN) + _face("inter-latin-ext.woff2", _LATIN_EXTENDED)
    return _GENERAL + faces + _theme(LIGHT) + _theme(DARK)


def _face(file: str, characters: str) -> str:
    return f"""
[[theme.fontFaces]]
family = "Inter"
url = "app/static/{file}"
weight = "100 900"
style = "normal"
unicodeRange = "{characters}"
"""


def _theme(palette: Palette) -> str:
    # Metrics and tables paint backgroundColor, so it is the card's colour; the style sheet tints the page behind.
    return f"""
[theme.{palette.name}]
primaryColor = "{palette.primary}"
backgroundColor = "{palette.card}"
secondaryBackgroundColor = "{palette.sidebar if palette.name == "light" else palette.track}"
textColor = "{palette.ink}"
borderColor = "{palette.hairline}"
dataframeBorderColor = "{palette.hairline}"
dataframeHeaderBackgroundColor = "{palette.card}"
dataframeHeaderTextColor = "{palette.muted}"
greenColor = "{palette.primary}"
greenTextColor = "{palette.primary}"
greenBackgroundColor = "{palette.primary_soft}"
redColor = "{palette.coral}"
redTextColor = "{palette.coral_text}"
redBackgroundColor = "{palette.coral_soft}"
orangeColor = "{palette.amber}"
orangeTextColor = "{palette.amber_text}"
orangeBackgroundColor = "{palette.amber_soft}"
blueColor = "{palette.indigo}"
grayColor = "{palette.grey}"
grayTextColor = "{palette.muted}"
grayBackgroundColor = "{palette.track}"
violetColor = "{palette.plum}"
showWidgetBorder = true
chartCategoricalColors = {_list(palette.primary, palette.indigo, palette.amber, palette.coral, palette.sky)}
chartSequentialColors = {_list(*_ten(palette.heat))}

[theme.{palette.name}.sidebar]
backgroundColor = "{palette.sidebar}"
secondaryBackgroundColor = "{palette.hairline if palette.name == "light" else palette.card}"
borderColor = "{palette.hairline}"
headingFontSizes = ["15px", "14px", "13px", "13px", "12px", "12px"]
"""


def _ten(steps: tuple[str, ...]) -> list[str]:
    """Ten entries, as Streamlit wants them, from six: the middle ones stand twice."""
    return [steps[0], steps[1], steps[1], steps[2], steps[2], steps[3], steps[3], steps[4], steps[4], steps[5]]


def _list(*colours: str) -> str:
    return "[" + ", ".join(f'"{colour}"' for colour in colours) + "]"


if __name__ == "__main__":
    CONFIG_FILE.parent.mkdir(exist_ok=True)
    CONFIG_FILE.write_text(render(), encoding="utf-8")
