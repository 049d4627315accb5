"""Who did what here: the audit log, in which each row holds the hash of the one before."""

from collections.abc import Mapping
from datetime import datetime
from functools import partial
from typing import Any, Final
from uuid import UUID

import streamlit as st

from dashboards import data as shared
from dashboards import exports, parts, people, shell, states, wording
from dashboards.setup import data
from dashboards.setup.data import Rows
from dashboards.viewer import Viewer

_COLUMNS = ("at", "actor", "action", "subject", "detail")
# Who has no account of their own is written as a word: the local owner, the agent, the gateway.
_ACTORS: Final = {"member": "Member", "key": "API key"}
# As many as stand on a screen.
_FEW = 14
_SELECTION: Final = "audit"


def show(looking: Viewer, *, at: datetime) -> None:
    """The newest two hundred; the API has all of them."""
    del at
    st.html(parts.page_title("Audit", "Nothing here can be changed or taken out; mychatflow audit verify proves it"))
    with st.container(border=True, key="card-audit"):
        rows = data.record(looking.tenant_id)
        if not rows:
            states.empty("Nothing was done yet", "Every change by a person or a key is listed here.")
            return
        st.html(parts.card_title("What was done", "Select a row to read it whole, with every id"))
        known = _known(looking, rows)
        chosen = _selected(rows, known, looking.timezone)
        exports.menu(looking, [row | {"detail": _written(row)} for row in rows], columns=_COLUMNS, file="audit")
    if chosen is not None:
        title = shell.plain(action(rows[chosen]))
        dialog = st.dialog(title, width="medium", on_dismiss=partial(shell.renew, _SELECTION))
        dialog(partial(_one, rows[chosen], known, looking.timezone))()


def _selected(rows: Rows, known: Mapping[UUID, str], timezone: str) -> int | None:
    return people.selected(
        [
            {
                "When": row["at"],
                "Who": actor(row, known),
                "What": action(row),
                "On": subject(row, known),
                "Detail": detail(row, known),
            }
            for row in rows
        ],
        key=shell.renewed(_SELECTION),
        alt=f"Table of {len(rows)} changes.",
        columns={"When": st.column_config.DatetimeColumn(format="D MMM, HH:mm:ss", timezone=timezone)},
        height="content" if len(rows) <= _FEW else 560,
    )


def _one(row: Mapping[str, Any], known: Mapping[UUID, str], timezone: str) -> None:
    st.html(parts.facts(whole(row, known, timezone)))


def whole(row: Mapping[str, Any], known: Mapping[UUID, str], timezone: str) -> dict[str, str]:
    """All that the row holds, each name with the id that stands in the log."""
    local = row["at"].astimezone(wording.zone(timezone))
    return {
        "When": f"{wording.day(local)} {local:%Y, %H:%M:%S}",
        "Who": _both(actor(row, known), row["actor"]),
        "What": _both(action(row), row["action"]),
        "On": _both(subject(row, known), row["subject"] or "–"),
        **{name: _both(told, _plain(value)) for name, told, value in _details(row, known)},
        "Row of the log": str(row["id"]),
    }


def action(row: Mapping[str, Any]) -> str:
    return wording.words(row["action"].replace(".", "_"))


def actor(row: Mapping[str, Any], known: Mapping[UUID, str]) -> str:
    """The member's address or the key's name; a key says that it is one, whatever it is called."""
    kind, _, written = row["actor"].partition(":")
    if kind not in _ACTORS:
        return wording.words(row["actor"])
    name = _called(written, known)
    return name if name and kind == "member" else f"{_ACTORS[kind]} {name or written[:8]}"


def subject(row: Mapping[str, Any], known: Mapping[UUID, str]) -> str:
    """What it is called; of what is gone or has no name its kind, and enough of its id to tell it from others."""
    written = row["subject"] or ""
    if _as_id(written) is None:
        return written
    return _called(written, known) or f"{wording.words(row['action'].partition('.')[0])} {written[:8]}"


def detail(row: Mapping[str, Any], known: Mapping[UUID, str]) -> str:
    """On one line, as long as it is."""
    return ", ".join(f"{name.lower()}: {told}" for name, told, _ in _details(row, known))


def _details(row: Mapping[str, Any], known: Mapping[UUID, str]) -> list[tuple[str, str, object]]:
    """Each in words and as it is written: contact_id → Contact, and what that person is called."""
    return [
        (wording.words(name.removesuffix("_id")), _called(value, known) or _plain(value), value)
        for name, value in (row["detail"] or {}).items()
    ]


def _both(told: str, written: str) -> str:
    return told or written if told.casefold() in {"", written.casefold()} else f"{told} ({written})"


def _known(looking: Viewer, rows: Rows) -> dict[UUID, str]:
    """Whatever any of the rows names and has a name: asked for together, never row by row."""
    written = [
        text
        for row in rows
        for text in (row["actor"].partition(":")[2], row["subject"], *(row["detail"] or {}).values())
    ]
    ids = sorted({found for text in written if (found := _as_id(text))})
    contacts = shared.people(looking.tenant_id, tuple(ids))
    return data.called(looking.tenant_id, ids) | {each: people.name(contacts[each]) for each in contacts}


def _called(written: object, known: Mapping[UUID, str]) -> str | None:
    found = _as_id(written)
    return None if found is None else known.get(found)


def _as_id(written: object) -> UUID | None:
    """Only as we write ids: WhatsApp's may be of as many digits."""
    try:
        found = UUID(str(written))
    except ValueError:
        return None
    return found if str(found) == written else None


def _written(row: Mapping[str, Any]) -> str:
    """For the file: nothing named, nothing left out."""
    return ", ".join(f"{name}: {value}" for name, value in (row["detail"] or {}).items())


def _plain(value: object) -> str:
    match value:
        case list():
            return wording.listed([str(each) for each in value])
        case dict():
            return wording.listed([f"{name}: {each}" for name, each in value.items()])
        case bool():
            return "yes" if value else "no"
        case _:
            return "–" if value is None else str(value)
