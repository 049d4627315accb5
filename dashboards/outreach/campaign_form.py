"""The forms of a campaign: what it says to whom and when, with the audience counted while one types; try, and start."""

from collections.abc import Callable
from datetime import datetime, time
from functools import partial
from typing import Any, Final
from uuid import UUID, uuid4

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from dashboards import data as shared
from dashboards import forms, parts, people, shell, states, toasts, wording
from dashboards.changes import NotDone
from dashboards.outreach import audience, campaign_changes, data, reached
from dashboards.outreach.campaign_changes import Wanted
from dashboards.viewer import Viewer
from mychatflow.rules.template import InvalidTemplate

_NEW: Final[dict[str, Any]] = {
    "id": None,
    "name": "",
    "template": "",
    "audience": {},
    "instance_id": None,
    "scheduled_at": None,
    "messages_per_minute": 20,
    "quiet_from": time(21),
    "quiet_until": time(8),
    "holdout_share": 0.1,
    "updated_at": None,
}


def edit(looking: Viewer, row: dict[str, Any] | None, *, at: datetime) -> None:
    # Who is held out goes by the id, so a new draft has its own while it is typed.
    reached.fold()
    known = row or _NEW | {"id_of_new": uuid4()}
    forms.opened("Edit the draft" if row else "A new campaign", partial(_form, looking, known, at=at))


def start(looking: Viewer, row: dict[str, Any], *, at: datetime) -> None:
    reached.fold()
    forms.opened("Start the campaign", partial(_start, looking, row, at=at))


def test(looking: Viewer, row: dict[str, Any]) -> None:
    forms.opened("Send a test", partial(_test, looking, row))


def _form(looking: Viewer, known: dict[str, Any], *, at: datetime) -> None:
    mark = shell.keyed("campaign", known["id"], known["updated_at"])
    segments = data.saved_segments(looking.tenant_id)
    st.text_input("Name", known["name"], max_chars=200, key=f"name-{mark}", placeholder="Autumn check-up")
    left, right = st.columns([1.3, 1])
    with left:
        st.text_area(
            "Message",
            known["template"],
            max_chars=campaign_changes.LONGEST_TEXT,
            height=150,
            key=f"text-{mark}",
            placeholder="Hi {{first_name|there}}, it is time for your check-up. Shall we book it?",
            help="Variables: first_name, name, phone, business_name and your own as attributes.key; "
            "after a bar stands what is said where nothing is known.",
        )
        audience.ask(known["audience"], segments, mark=mark)
    beneath = st.container()
    with right:
        st.html(parts.card_title("Reaches", "Counted now; counted again when it starts"))
        _counted(looking, known, partial(_wanted, known, segments, mark), beneath, at=at)
    _when(looking, known, mark=mark)
    with st.container(horizontal=True):
        forms.button(
            "Save the draft", partial(_save, looking, known, segments, mark), key="save-campaign", kind="primary"
        )
        if known["id"]:
            delete = partial(campaign_changes.delete, looking, known["id"])
            forms.button("Delete", delete, key="delete-campaign", kind="tertiary")


def _when(looking: Viewer, known: dict[str, Any], *, mark: str) -> None:
    numbers = wording.told_apart(data.numbers(looking.tenant_id))
    planned = known["scheduled_at"]
    local = planned.astimezone(wording.zone(looking.timezone)) if planned else None
    first, second, third = st.columns(3)
    first.date_input("Starts on", local.date() if local else None, key=f"day-{mark}", help="Empty: when you start it.")
    second.time_input("at", local.time() if local else time(10), key=f"hour-{mark}")
    forms.number("Messages a minute", 1, 600, known["messages_per_minute"], within=third, key=f"pace-{mark}")
    # A row of its own: beneath one another, and from key to key, they follow as they are read.
    first, second, third = st.columns(3)
    first.time_input("Quiet from", known["quiet_from"], key=f"from-{mark}", help="By each contact's own clock.")
    second.time_input("Quiet until", known["quiet_until"], key=f"until-{mark}")
    forms.number(
        "Held out, in percent",
        0,
        90,
        round(known["holdout_share"] * 100),
        step=5,
        within=third,
        key=f"held-out-{mark}",
        help="So many get nothing. Only against them can anybody know what the campaign brought.",
    )
    st.selectbox(
        "From the number",
        list(numbers),
        index=list(numbers).index(known["instance_id"]) if known["instance_id"] in numbers else None,
        format_func=numbers.__getitem__,
        placeholder="The one each contact writes to",
        key=f"number-{mark}",
    )


def _wanted(known: dict[str, Any], segments: data.Rows, mark: str) -> Wanted:
    """The fields as they stand; those not drawn yet as they are known."""
    is_drawn = f"pace-{mark}" in st.session_state
    day, hour = forms.value(f"day-{mark}"), forms.value(f"hour-{mark}") or time(10)
    quiet_from, quiet_until = forms.value(f"from-{mark}"), forms.value(f"until-{mark}")
    share = forms.value(f"held-out-{mark}") if is_drawn else round(known["holdout_share"] * 100)
    return Wanted(
        name=forms.typed(f"name-{mark}"),
        template=forms.typed(f"text-{mark}"),
        audience=audience.chosen(known["audience"], segments, mark=mark),
        instance_id=forms.value(f"number-{mark}") if is_drawn else known["instance_id"],
        starts_at=datetime.combine(day, hour) if day else None,
        messages_per_minute=int(forms.value(f"pace-{mark}") if is_drawn else known["messages_per_minute"]),
        quiet=(quiet_from, quiet_until) if quiet_from is not None and quiet_until is not None else None,
        holdout_share=(share or 0) / 100,
    )


def _save(looking: Viewer, known: dict[str, Any], segments: data.Rows, mark: str) -> bool:
    return campaign_changes.save(looking, known, _wanted(known, segments, mark))


def _counted(
    looking: Viewer, known: dict[str, Any], read: Callable[[], Wanted], beneath: DeltaGenerator, *, at: datetime
) -> None:
    try:
        wanted = read()
        audience.checked(wanted.audience)
        row = wanted.row() | {"id": known["id"] or known["id_of_new"]}
        found = data.audience_now(looking.tenant_id, row, at=at)
    except (InvalidTemplate, NotDone) as invalid:
        states.empty("Not countable yet", f"{str(invalid)[:1].upper()}{str(invalid)[1:]}")
        return
    pressed = reached.counted(found, per_minute=wanted.messages_per_minute, key="form")
    with beneath:
        reached.unfolded(looking, row, found, pressed, at=at)


def _start(looking: Viewer, row: dict[str, Any], *, at: datetime) -> None:
    try:
        found = data.audience_now(looking.tenant_id, row, at=at)
    except InvalidTemplate as invalid:
        states.empty("It cannot start", f"{invalid}.")
        return
    pressed = reached.counted(found, per_minute=row["messages_per_minute"], key="start")
    reached.unfolded(looking, row, found, pressed, at=at)
    planned = row["scheduled_at"]
    is_ahead = row["state"] == "draft" and planned is not None and planned > at
    if is_ahead:
        st.caption(f"It then waits until {wording.clock(planned, looking.timezone)} and starts by itself.")
    else:
        st.caption("The first messages leave at once. Pausing takes back what no worker has begun to send.")
    label = "Schedule it" if is_ahead else f"Start: write to {wording.counted(found.eligible, 'person', 'people')}"
    begin = partial(campaign_changes.move, looking, row["id"], "start")
    forms.button(label, begin, key="start-campaign", kind="primary", disabled=not found.eligible)


def _test(looking: Viewer, row: dict[str, Any]) -> None:
    st.caption("One contact gets the message now, with their own name in it. Choose yourself or a colleague.")
    wanted = st.text_input("Find a contact", key="test-search", placeholder="Name or number")
    found = people.labelled(shared.inbox(looking.tenant_id, search=wanted or "")[:20], looking.timezone)
    st.selectbox(
        "Send it to",
        list(found),
        # Nobody is chosen at first: a customer would get the test by one careless press.
        index=None,
        placeholder="Nobody yet",
        format_func=found.__getitem__,
        key="test-contact",
    )
    forms.button("Send the test", partial(_send_test, looking, row["id"]), key="send-test", kind="primary")


def _send_test(looking: Viewer, campaign_id: UUID) -> bool:
    contact_id = forms.value("test-contact")
    if contact_id is None:
        raise NotDone("choose who gets the test.")
    is_sent = campaign_changes.send_test(looking, campaign_id, contact_id)
    if is_sent:
        toasts.done_then("The test is on its way.")
    return is_sent
