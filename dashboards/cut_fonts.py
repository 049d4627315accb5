"""Cuts Streamlit's fonts to what our pages draw with them: `python -m dashboards.cut_fonts`.

Needs `pyftsubset` of fonttools on the path (`pip install "fonttools[woff]"`), once for each new Streamlit.
"""

import re
import subprocess
import tempfile
from pathlib import Path

from dashboards import assets, navigation

_OURS = re.compile(r":material/(\w+):")
# Whatever their scripts could mean as an icon; words that name none are left out by the cutting.
_THEIRS = re.compile(r"""["'`](?::material/)?([a-z][a-z0-9_]{2,40}):?["'`]""")
# A library of charts, and a list of emoji.
_WITHOUT = ("PlotlyChart.", "StreamlitMarkdown.")
_SPELLED = "U+0030-0039,U+005F,U+0061-007A"


def ours() -> set[str]:
    """The icons that our pages name."""
    written = [path.read_text(encoding="utf-8") for path in Path(assets.__file__).parent.rglob("*.py")]
    return {name for text in written for name in _OURS.findall(text)} | {place.icon for place in navigation.PLACES}


def theirs() -> set[str]:
    """The words in Streamlit's own scripts that could be an icon's name."""
    scripts = [path for path in assets.used() if path.suffix == ".js" and not path.name.startswith(_WITHOUT)]
    return {name for path in scripts for name in _THEIRS.findall(path.read_text(encoding="utf-8"))}


def cut(font: Path, *what: str) -> None:
    command = ["pyftsubset", str(font), f"--output-file={assets.CUT[font.name]}", "--flavor=woff2", *what]
    subprocess.run(command, check=True)


def main() -> None:
    """An icon is a ligature of its name, so its letters stay, and no ligature beyond those wanted."""
    with tempfile.NamedTemporaryFile("w", suffix=".txt", encoding="utf-8") as names:
        names.write("\n".join(sorted(ours() | theirs())))
        names.flush()
        wanted = (f"--glyphs-file={names.name}", "--ignore-missing-glyphs", f"--unicodes={_SPELLED}")
        cut(assets.SYMBOLS, *wanted, "--no-layout-closure", "--layout-features=*")
    cut(assets.LETTERS, "--unicodes=U+0020", "--drop-tables+=fvar,gvar,HVAR,MVAR,STAT,avar")


if __name__ == "__main__":
    main()
