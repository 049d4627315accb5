"""One message to many: drafted, tried, started, watched person by person, and judged against those held out."""

from datetime import datetime
from functools import partial
from typing import Any
from uuid import UUID

import streamlit as st

from dashboards import behind, exports, parts, people, shell, states, viewer, wording
from dashboards import data as shared
from dashboards.behind import Fact
from dashboards.outreach import audience, campaign_changes, campaign_form, data, reached
from dashboards.viewer import Viewer
from mychatflow.rules.role import Permission
from mychatflow.rules.template import InvalidTemplate

_SHOWN = 20
_TONES: dict[str, parts.Tone] = {"running": "good", "scheduled": "warn", "paused": "warn", "cancelled": "bad"}
_BEGUN = ("running", "paused", "finished", "cancelled")
_RECIPIENTS = ("queued", "sent", "delivered", "read", "replied", "failed", "skipped", "held_out")
_REACHED = {"sent": "Written to", "delivered": "Delivered", "read": "Read", "replied": "Answered"}
_COLUMNS = ("name", "phone", "state", "reason", "sent_at")
_WORDS = {"held_out": "Held out", "queued": "Waiting", "skipped": "Left out", "replied": "Answered"}


def show(looking: Viewer, *, at: datetime) -> None:
    """The newest first; what runs counts by itself."""
    with st.container(horizontal=True, horizontal_alignment="distribute", vertical_alignment="bottom"):
        st.html(
            parts.page_title("Campaigns", "One message to many, at a pace that keeps your number safe"), width="content"
        )
        if st.button("New campaign", type="primary", icon=":material/add:", key="new-campaign"):
            campaign_form.edit(looking, None, at=at)
    rows = data.all_campaigns(looking.tenant_id)
    if not rows:
        states.card(
            "empty",
            "No campaign yet",
            "Draft one above: you see whom it reaches before anything is sent, and may try it on yourself.",
        )
    for row in rows[:_SHOWN]:
        with st.container(border=True, key=f"card-campaign-{row['id']}"):
            _campaign(looking, row, at=at)


def _campaign(looking: Viewer, row: dict[str, Any], *, at: datetime) -> None:
    mark: UUID = row["id"]
    with st.container(horizontal=True, horizontal_alignment="distribute", vertical_alignment="center"):
        st.html(parts.card_title(row["name"], _about(row, looking.timezone)), width="content")
        with st.container(horizontal=True, width="content", gap="small", vertical_alignment="center"):
            st.html(parts.chip(wording.words(row["state"]), _TONES.get(row["state"], "quiet")), width="content")
            fault = data.fault(looking.tenant_id, row) if row["state"] == "paused" else None
            _actions(looking, row, can_go_on=not fault, at=at)
    if fault:
        st.html(parts.warned(f"It cannot go on: {fault}. Define it again and resume, or cancel the campaign."))
    left, right = st.columns([1, 1.2])
    left.html(f'<div class="mcf-bubble out mcf-sample">{wording.escaped(row["template"])}</div>')
    left.caption(f"To {shell.plain(audience.told(row['audience']))}")
    with right:
        if row["state"] == "running":
            states.live(partial(_progress, looking, mark, row["state"], at=at), every="5s")
        elif row["state"] in _BEGUN:
            _progress(looking, mark, row["state"], at=at)
        else:
            _planned(looking, row, at=at)


def _planned(looking: Viewer, row: dict[str, Any], *, at: datetime) -> None:
    """Whom a draft would reach now, with everybody it leaves out."""
    try:
        found = data.audience_now(looking.tenant_id, row, at=at)
    except InvalidTemplate as invalid:
        states.empty("It cannot start", f"{invalid}.")
        return
    pressed = reached.counted(found, per_minute=row["messages_per_minute"], key=str(row["id"]))
    if pressed:
        reached.open_dialog(looking, row, pressed, at=at)


def _about(row: dict[str, Any], timezone: str) -> str:
    if row["finished_at"]:
        when = f"ended {wording.clock(row['finished_at'], timezone)}"
    elif row["started_at"]:
        when = f"began {wording.clock(row['started_at'], timezone)}"
    elif row["scheduled_at"]:
        when = f"planned for {wording.clock(row['scheduled_at'], timezone)}"
    else:
        when = "starts when you say so"
    quiet = f"quiet {row['quiet_from']:%H:%M} to {row['quiet_until']:%H:%M}" if row["quiet_from"] else "at any hour"
    return f"{when} · {row['messages_per_minute']} a minute · {quiet} · {row['holdout_share']:.0%} held out"


def _actions(looking: Viewer, row: dict[str, Any], *, can_go_on: bool, at: datetime) -> None:
    mark, state = row["id"], row["state"]
    if state in ("draft", "scheduled", "running", "paused") and st.button("Test", key=f"test-{mark}"):
        campaign_form.test(looking, row)
    if state == "draft" and st.button("Edit", icon=":material/edit:", key=f"edit-{mark}"):
        campaign_form.edit(looking, row, at=at)
    if state in ("draft", "scheduled"):
        label = "Start" if state == "draft" else "Start now"
        if st.button(label, type="primary", icon=":material/send:", key=f"start-{mark}"):
            campaign_form.start(looking, row, at=at)
    if state in ("scheduled", "running"):
        st.button("Pause", icon=":material/pause:", key=f"pause-{mark}", on_click=_move, args=(looking, mark, "pause"))
    if state == "paused":
        st.button(
            "Resume",
            icon=":material/play_arrow:",
            key=f"resume-{mark}",
            disabled=not can_go_on,
            on_click=_move,
            args=(looking, mark, "resume"),
        )
    if state in ("scheduled", "running", "paused"):
        with st.popover("Cancel", type="tertiary", key=f"cancelling-{mark}"):
            st.caption("For good: whoever was not written to yet is left out.")
            st.button("Cancel the campaign", key=f"cancel-{mark}", on_click=_move, args=(looking, mark, "cancel"))
    if state in _BEGUN and st.button("Recipients", key=f"recipients-{mark}"):
        _open_recipients(looking, mark, None, at=at)


def _move(looking: Viewer, campaign_id: UUID, step: campaign_changes.Step) -> None:
    campaign_changes.move(looking, campaign_id, step)


def _progress(looking: Viewer, campaign_id: UUID, shown: str, *, at: datetime) -> None:
    found = data.campaign(looking.tenant_id, campaign_id)
    if not found or found["state"] != shown:
        # It ended or was stopped while we looked: the buttons above are of before.
        st.rerun()
    results = found["results"]
    if not results["recipients"]:
        if shown == "running":
            states.empty("The audience is being written down", "Numbers appear with the first people.")
        else:
            states.empty("Nobody was written to", "It was stopped before the first message.")
        return
    drawn = parts.funnel([(word, results[state]) for state, word in _REACHED.items()])
    for (state, word), step in zip(_REACHED.items(), drawn, strict=True):
        place, is_pressed = shell.covered(f"{state}-{campaign_id}", f"{word}: who they are")
        place.html(step)
        if is_pressed:
            _open_recipients(looking, campaign_id, Fact(name=word, value="", part=state), at=at)
    pressed = behind.pressed_fact(_facts(results), key=str(campaign_id))
    if pressed:
        _open_recipients(looking, campaign_id, pressed, at=at)


def _facts(results: dict[str, Any]) -> list[Fact]:
    """What did not go out and why, and what the rest brought over the people held out."""
    count = partial(_fact, results)
    facts = [count("Recipients", "recipients"), count("Still waiting", "queued")]
    facts += [
        Fact(name=f"{word}: {reached.reason(name)}", value=f"{found:,}", part=kind, reason=name)
        for kind, word in (("skipped", "Left out"), ("failed", "Failed"))
        for name, found in results[f"{kind}_by_reason"].items()
    ]
    facts.append(count("Said stop afterwards", "opted_out_after"))
    lift = results["lift"]
    if lift is None:
        return [*facts, Fact(name="Brought by it", value="not measured: nobody was held out")]
    chosen, held_out = (f"{results[name]:,}" for name in ("assigned", "held_out"))
    return [
        *facts,
        Fact(
            name=f"Wrote until a week after, of {chosen} chosen",
            value=wording.share(lift.treated_rate, digits=0),
            part="assigned_wrote",
        ),
        Fact(
            name=f"Wrote unprompted, of {held_out} held out",
            value=wording.share(lift.held_out_rate, digits=0),
            part="held_out_wrote",
        ),
        Fact(
            name="Brought by it",
            value=wording.points(lift),
            explained="The first of these two rates less the second; open those.",
        ),
    ]


def _fact(results: dict[str, Any], name: str, part: str) -> Fact:
    return Fact(name=name, value=f"{results[part]:,}", part=part)


def _open_recipients(looking: Viewer, campaign_id: UUID, fact: Fact | None, *, at: datetime) -> None:
    """Those behind the result that was pressed; without one, the state is chosen in the dialog."""
    title = shell.plain(fact.name) if fact else "Recipients"
    st.dialog(title, width="large")(partial(_recipients, looking, campaign_id, fact, at=at))()


def _recipients(looking: Viewer, campaign_id: UUID, fact: Fact | None, *, at: datetime) -> None:
    if not viewer.still(looking, Permission.MANAGE_CAMPAIGNS):
        states.ended()
        return
    if fact:
        found = data.recipients_behind(looking.tenant_id, campaign_id, fact.part, fact.reason)
    else:
        state = st.pills("State", _RECIPIENTS, format_func=_told, key="recipient-state", label_visibility="collapsed")
        found = data.recipients(looking.tenant_id, campaign_id, [state] if state else None)
    rows = people.named(looking, found)
    if not rows:
        if fact:
            states.empty("Nobody is behind this number", "Nothing was counted, or those people were erased since.")
        else:
            states.empty("Nobody is in this state", "Choose another one, or none to see everybody.")
        return
    chosen = _listed(rows, timezone=looking.timezone)
    exports.menu(looking, rows, columns=_COLUMNS, file="recipients")
    if chosen is not None:
        contact_id = rows[chosen]["contact_id"]
        people.one(looking, contact_id, shared.people(looking.tenant_id, (contact_id,)).get(contact_id), at=at)


def _listed(rows: data.Rows, *, timezone: str) -> int | None:
    """The recipient somebody selected, if any."""
    return people.selected(
        [
            {
                "Contact": row["name"],
                "Phone": row["phone"],
                "State": _told(row["state"]),
                "Because": reached.reason(row["reason"]) if row["reason"] else "",
                "Sent": row["sent_at"],
            }
            for row in rows
        ],
        key=shell.keyed("recipients", *(row["id"] for row in rows)),
        alt=f"Table of {len(rows)} recipients with state and reason. Select one to read the chat.",
        columns={"Sent": st.column_config.DatetimeColumn(format="D MMM, HH:mm", timezone=timezone)},
    )


def _told(state: str) -> str:
    return _WORDS.get(state, wording.words(state))
