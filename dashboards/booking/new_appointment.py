"""An appointment that a colleague books by hand: for whom, what, and one of the times that are free now."""

from collections.abc import Mapping
from datetime import datetime
from functools import partial
from uuid import UUID

import streamlit as st

from dashboards import forms, people, toasts, wording
from dashboards.booking import changing, data
from dashboards.viewer import Viewer


def button(looking: Viewer, *, at: datetime) -> None:
    """For who manages appointments."""
    if st.button("New appointment", type="primary", icon=":material/add:", key="new-appointment"):
        forms.opened("A new appointment", partial(_form, looking, at=at))


def _form(looking: Viewer, *, at: datetime) -> None:
    contact_id = people.sought(looking, "booking", "For whom")
    services = data.offered(looking.tenant_id, "services")
    offered = wording.told_apart({row["id"]: row["name"] for row in services if row["is_active"]})
    service_id = st.selectbox(
        "What",
        list(offered),
        index=None,
        format_func=offered.__getitem__,
        placeholder="A service" if offered else "No service is offered yet",
        key="booking-service",
    )
    free = told(data.free(looking.tenant_id, service_id, at=at) if service_id else {})
    st.selectbox(
        "When",
        list(free),
        index=None,
        format_func=free.__getitem__,
        placeholder=_hint(is_chosen=service_id is not None, is_free=bool(free)),
        key="booking-slot",
        disabled=not free,
    )
    st.toggle("Tell the customer on WhatsApp", value=True, key="booking-tells")
    book = partial(_book, looking, contact_id)
    forms.button("Book it", book, key="book", kind="primary", disabled=contact_id is None or not free)


def told(free: Mapping[str, datetime]) -> Mapping[str, str]:
    """Thu 26 Nov, 10:30; an hour that comes twice, in another zone or when the clocks go back, names its zone."""
    starts = {slot_id: f"{start:%a} {start.day} {start:%b, %H:%M}" for slot_id, start in free.items()}
    return wording.told_apart(starts, lambda slot_id: f"{free[slot_id]:%Z}")


def _hint(*, is_chosen: bool, is_free: bool) -> str:
    if not is_chosen:
        return "Choose a service first"
    return "Free times of the next four weeks" if is_free else "Nothing is free in the next four weeks"


def _book(looking: Viewer, contact_id: UUID | None) -> bool:
    slot_id = forms.value("booking-slot")
    if contact_id is None or not slot_id:
        toasts.refused("choose a person and a time.", what="Nothing was booked")
        return False
    return changing.book(looking, contact_id, slot_id, tells=bool(forms.value("booking-tells")))
