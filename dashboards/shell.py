"""What surrounds every page: the style sheet, the logo, the choice of workspace and the time zone."""

import hashlib
import re
import time
from collections import Counter
from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from dashboards import charts, parts
from dashboards.drawing import Drawn, Figure
from dashboards.theme import tokens
from dashboards.theme.tokens import Palette
from dashboards.viewer import Viewer
from mychatflow.store.viewers import Workspace
from warehouse.periods import Period

_THEME = Path(__file__).parent / "theme"
_STYLE = (_THEME / "style.css").read_text(encoding="utf-8")
# A file of ours: a `:material/` page icon would be fetched from the network.
_MARK = str(_THEME / "icons" / "mark.svg")
BREATH_SECONDS = 0.25
_ADDRESS = re.compile(r"https?:(?=//)|www(?=\.)|@", re.IGNORECASE)


def dress() -> None:
    """Title, icon and colours; the first thing a run does."""
    st.set_page_config(page_title="MyChatFlow", page_icon=_MARK, layout="wide", initial_sidebar_state="auto")
    # A toast of a dialog takes the first place among style sheets, toasts and dialogs from whatever stands there.
    st.html("<style></style>")
    st.html(f"<style>{tokens.css_variables(palette())}{_STYLE}</style>")
    st.logo(_MARK, size="large")


def palette() -> Palette:
    """The theme the browser shows now."""
    return tokens.DARK if st.context.theme.type == "dark" else tokens.LIGHT


def sidebar(looking: Viewer) -> Viewer:
    """The workspace chosen among the person's own; anything else in the address falls back to the first."""
    known = labelled(looking.workspaces)
    with st.sidebar:
        chosen = st.selectbox(
            "Workspace",
            list(known),
            key="workspace",
            bind="query-params",
            disabled=len(known) == 1,
        )
        workspace = known.get(str(chosen), looking.workspace)
        st.html(parts.sidebar_note(workspace.timezone, looking.name))
        if not looking.is_local:
            st.button("Sign out", on_click=st.logout, type="tertiary")
    return looking.looking_at(workspace)


def labelled(workspaces: Sequence[Workspace]) -> dict[str, Workspace]:
    """Each workspace under its name, which stands in the address; namesakes carry the start of their id."""
    names = Counter(workspace.name for workspace in workspaces)
    return {
        workspace.name
        if names[workspace.name] == 1
        else f"{workspace.name} · {str(workspace.tenant_id)[:8]}": workspace
        for workspace in workspaces
    }


def named(run: Callable[[], None], name: str) -> Callable[[], None]:
    """The callable under a name of its own, which Streamlit takes a page's identity from."""

    def page() -> None:
        run()

    page.__name__ = name
    return page


def renewed(name: str) -> str:
    """A widget key that `renew` changes, so that the widget forgets what was selected in it."""
    return f"{name}-{st.session_state.get(f'renewals-{name}', 0)}"


def renew(name: str) -> None:
    """Forget the selection: else the dialog it opened would open again on the next run."""
    st.session_state[f"renewals-{name}"] = st.session_state.get(f"renewals-{name}", 0) + 1


def covered(name: str, label: str, *, within: DeltaGenerator | None = None) -> tuple[DeltaGenerator, bool]:
    """A place that is a button all over, also for the keyboard: where to draw, and whether it was pressed."""
    place = (within or st).container(key=f"covered-{name}", height="stretch")
    drawn = place.container(height="stretch")
    return drawn, place.button(plain(label), key=f"cover-{name}", type="tertiary")


def chart(figure: Figure, name: str, *, alt: str) -> None:
    """Draw the chart, to look at."""
    st.plotly_chart(Drawn(figure), theme=None, config=charts.CONFIG, key=name, alt=alt)


def pointed(figure: Figure, name: str, *, alt: str) -> list[dict[str, Any]]:
    """Draw the chart; the points that somebody clicked on, once."""
    found = st.plotly_chart(
        Drawn(figure),
        theme=None,
        config=charts.CONFIG,
        key=renewed(name),
        on_select="rerun",
        selection_mode="points",
        alt=alt,
    )
    return list(found["selection"]["points"])


def clicked(figure: Figure, name: str, *, alt: str, curves: list[int] | None = None) -> Period | None:
    """Draw the chart; the day somebody clicked on, once. `curves` gets the number of the trace clicked."""
    found = pointed(figure, name, alt=alt)
    if not found:
        return None
    if curves is not None:
        curves.append(int(found[0]["curve_number"]))
    day = date.fromisoformat(str(found[0]["x"])[:10])
    return Period(since=day, until=day + timedelta(days=1))


def numbers_first() -> None:
    """Let the browser draw what it has: the scripts of charts, which come next, keep it busy for longer than that."""
    time.sleep(BREATH_SECONDS)


def keyed(name: str, *shown: object) -> str:
    """A widget key that changes with what the widget shows first; a digest, so that no words stand in it."""
    return f"{name}-{hashlib.sha256(repr(shown).encode()).hexdigest()[:16]}"


def plain(text: str) -> str:
    """The text with markdown's signs taken literally: never an image, never a link to a page."""
    # Addresses become links even without a sign of markdown; a joiner that nobody sees keeps them words.
    text = _ADDRESS.sub("\\g<0>\u2060", text)
    return "".join(f"\\{character}" if character in "\\`*_{}[]()<>#+-!|~:$&" else character for character in text)


def now() -> datetime:
    """The instant of this run, for parts that run on their own."""
    return datetime.now(UTC)
