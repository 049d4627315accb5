"""From a number to the people behind it: lists of contacts, the score explained, and the chat they wrote."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import partial
from typing import Any, Literal
from uuid import UUID

import streamlit as st

from dashboards import chat, data, files, parts, shell, states, viewer, wording
from dashboards.parts import Column
from dashboards.viewer import Viewer
from mychatflow.rules.role import Permission
from mychatflow.store.contacts import Contact

# What earns the points, and how many fill the bar; questions have no limit of their own.
_POINTS = {
    "message_points": ("Messages", "2 each, up to 30", 30),
    "speed_points": ("Reply speed", "10 for answers within 5 minutes", 10),
    "question_points": ("Questions", "5 each", 100),
    "intent_points": ("Intent", "price, booking, products, urgency", 60),
}
_MOST_POINTS = 100
_HISTORY = 12
# A search that finds more than this is made longer.
_LONGEST_NAME = 80
_FOUND = 20
_CAUSES = {"inbound": "They wrote", "decay": "Silence", "recalculation": "Counted anew"}
_TONES: dict[str, parts.Tone] = {"A": "good", "B": "good", "C": "quiet", "D": "quiet", "F": "quiet"}


def named(looking: Viewer, rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """The rows with each contact's name and number beside it; people erased meanwhile drop out."""
    ids = tuple(as_id(row["contact_id"]) for row in rows)
    known = data.people(looking.tenant_id, ids)
    return [
        row
        | {"contact_id": contact_id, "name": name(known[contact_id]), "phone": wording.phone(known[contact_id].phone)}
        for row, contact_id in zip(rows, ids, strict=True)
        if contact_id in known
    ]


def name(contact: Contact | None) -> str:
    """What to call somebody who may have given no name."""
    if contact is None:
        return "Unknown contact"
    called = contact.name or wording.phone(contact.phone or contact.wa_id.partition("@")[0])
    # WhatsApp lets people call themselves anything; ten thousand letters without a blank stop a browser.
    return called if len(called) <= _LONGEST_NAME else f"{called[: _LONGEST_NAME - 1]}…"


def sought(looking: Viewer, key: str, label: str, *, placeholder: str = "Name or number") -> UUID | None:
    """A contact found by name or number."""
    wanted = (st.text_input(label, key=f"{key}-search", placeholder=placeholder) or "").strip()
    if not wanted:
        return None
    found = labelled(data.inbox(looking.tenant_id, search=wanted)[:_FOUND], looking.timezone)
    return st.selectbox(
        "Who",
        list(found),
        format_func=found.__getitem__,
        label_visibility="collapsed",
        placeholder="Nobody is called so",
        key=f"{key}-contact",
    )


def labelled(contacts: Sequence[Contact], timezone: str) -> Mapping[UUID, str]:
    """Each contact as a choice; namesakes by when they last wrote or were written to."""
    last = {each.contact_id: each.last_message_at for each in contacts}
    return wording.told_apart(
        {each.contact_id: f"{name(each)} · {wording.phone(each.phone)}" for each in contacts},
        lambda contact_id: wording.clock(at, timezone) if (at := last[contact_id]) else "no message yet",
    )


def as_id(value: object) -> UUID:
    return value if isinstance(value, UUID) else UUID(str(value))


def open_contact(looking: Viewer, contact_id: UUID, *, at: datetime, renews: str) -> None:
    """A contact's chat and score in a dialog; closing it forgets the row that opened it."""
    contact = data.people(looking.tenant_id, (contact_id,)).get(contact_id)
    dialog = st.dialog(shell.plain(name(contact)), width="large", on_dismiss=partial(shell.renew, renews))
    dialog(partial(one, looking, contact_id, contact, at=at))()


def selected(
    shown: Sequence[Mapping[str, Any]],
    *,
    key: str,
    alt: str,
    columns: Mapping[str, Any] | None = None,
    height: int | Literal["content"] | None = None,
) -> int | None:
    """A table to select from, some nine rows high unless told; the row somebody selected, if any."""
    found = st.dataframe(
        shown,
        hide_index=True,
        height=height or min(320, 38 + 34 * len(shown)),
        row_height=34,
        key=key,
        on_select="rerun",
        selection_mode="single-row",
        alt=alt,
        column_config=columns,
    )
    rows = found["selection"]["rows"]
    return int(rows[0]) if rows else None


def one(looking: Viewer, contact_id: UUID, contact: Contact | None, *, at: datetime) -> None:
    """Their chat, for who may read it, with their score and facts beside it."""
    if contact is None:
        states.empty("This contact is gone", "It was erased or merged since these numbers were published.")
        return
    left, right = st.columns([1.5, 1])
    with left:
        if viewer.still(looking, Permission.READ_MESSAGES):
            costs = data.answer_costs(looking.tenant_id, contact_id)
            messages = data.chat(looking.tenant_id, contact_id, reader=looking.actor)
            kept = files.links(looking.tenant_id, contact_id, messages, at=at)
            st.html(chat.bubbles(messages, timezone=looking.timezone, costs=costs, files=kept))
        else:
            states.empty("Messages are for the team", "Your role sees numbers; an agent's role also reads chats.")
    with right:
        st.html(score(looking, contact_id, contact))
        st.html(parts.facts(facts(contact, looking.timezone, at=at)))


def facts(contact: Contact, timezone: str, *, at: datetime) -> dict[str, str]:
    first, last = contact.first_message_at, contact.last_message_at
    return {
        "Phone": wording.phone(contact.phone),
        "Owner": "A person" if contact.owner == "human" else "The assistant",
        "Handed off": wording.words(contact.handoff_reason or "yes") if contact.is_handed_off else "no",
        "Language": wording.language(contact.preferred_language),
        "Marketing": "opted out" if contact.opted_out_at else "allowed",
        "First message": wording.clock(first, timezone) if first else "never",
        "Last message": wording.ago(last, at=at),
        "Tags": wording.listed(contact.tags),
    }


def score(looking: Viewer, contact_id: UUID, contact: Contact) -> str:
    """The score as a sum that can be checked: four parts, less what silence took."""
    head = (
        f'<div class="mcf-score"><strong>{contact.lead_score}</strong>'
        f"{parts.chip(f'Grade {contact.lead_grade}', _TONES.get(contact.lead_grade, 'quiet'))}</div>"
    )
    history = data.score_history(looking.tenant_id, contact_id)
    if not history:
        return f"{head}<p>No scored message yet.</p>"
    newest = history[0]
    earned = {column: int(newest[column]) for column in _POINTS}
    points = [
        _point(label, detail, earned[column] / most, earned[column])
        for column, (label, detail, most) in _POINTS.items()
    ]
    over = sum(earned.values()) - _MOST_POINTS
    if over > 0:
        points.append(_point("Limit", "a score ends at 100", over / _MOST_POINTS, -over))
    if newest["base"] != contact.lead_base:
        note = "<p>Newer messages count here after the next hourly run.</p>"
        return f'{head}<div class="mcf-points">{"".join(points)}{note}</div>'
    lost = contact.lead_base - contact.lead_score
    if lost:
        points.append(_point("Silence", "since the last message", lost / 100, -lost))
    return f'{head}<div class="mcf-points">{"".join(points)}</div>'


def score_history(looking: Viewer, contact_id: UUID) -> str:
    """Each change of the score: when, why, and which points it had."""
    rows = data.score_history(looking.tenant_id, contact_id)[:_HISTORY]
    if not rows:
        return ""
    columns = [
        Column(title="When"),
        Column(title="Why"),
        *(Column(title=t, is_number=True) for t in ("Points", "Score")),
    ]
    cells = [
        (
            wording.clock(row["scored_at"], looking.timezone),
            _CAUSES.get(row["cause"], wording.words(row["cause"])),
            " + ".join(str(row[column]) for column in _POINTS) + (f" − {row['decay']}" if row["decay"] else ""),
            f"{row['score']} {parts.chip(row['grade'], _TONES.get(row['grade'], 'quiet'))}",
        )
        for row in rows
    ]
    return parts.card_title("Score history", "Messages + speed + questions + intent − silence") + parts.table(
        columns, cells, label="Score history"
    )


def _point(label: str, detail: str, share: float, value: int) -> str:
    tone: parts.Tone = "bad" if value < 0 else "good"
    bar = f'<div class="mcf-meter mcf-{tone}"><i style="width:{min(abs(share), 1) * 100:.0f}%"></i></div>'
    return (
        f'<div class="mcf-point"><span>{wording.escaped(label)}<br><small>{wording.escaped(detail)}</small></span>'
        f"{bar}<b>{value:+d}</b></div>"
    )
