"""Who did what here: the audit log, in which each row holds the hash of the one before."""

from datetime import datetime

import streamlit as st

from dashboards import exports, parts, states, wording
from dashboards.setup import data
from dashboards.viewer import Viewer

_COLUMNS = ("at", "actor", "action", "subject", "detail")

# As many as stand on a screen.
_FEW = 14


def show(looking: Viewer, *, at: datetime) -> None:
    """The newest two hundred; the API has all of them."""
    del at
    st.html(parts.page_title("Audit", "Nothing here can be changed or taken out; mychatflow audit verify proves it"))
    with st.container(border=True, key="card-audit"):
        rows = [row | {"detail": _told(row["detail"])} for row in data.record(looking.tenant_id)]
        if not rows:
            states.empty("Nothing was done yet", "Every change by a person or a key is listed here.")
            return
        who = {f"member:{member['id']}": member["email"] for member in data.team(looking.tenant_id)}
        column = st.column_config
        st.dataframe(
            [
                {
                    "When": row["at"],
                    "Who": who.get(row["actor"], wording.words(row["actor"])),
                    "What": wording.words(row["action"].replace(".", "_")),
                    "On": row["subject"] or "",
                    "Detail": row["detail"],
                }
                for row in rows
            ],
            hide_index=True,
            height="content" if len(rows) <= _FEW else 560,
            row_height=34,
            alt=f"Table of {len(rows)} changes.",
            column_config={"When": column.DatetimeColumn(format="D MMM, HH:mm:ss", timezone=looking.timezone)},
        )
        exports.menu(looking, rows, columns=_COLUMNS, file="audit")


def _told(detail: dict[str, object] | None) -> str:
    return ", ".join(f"{name}: {value}" for name, value in (detail or {}).items())
