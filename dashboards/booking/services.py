"""What customers can book, and who or what serves them at which hours."""

from collections.abc import Mapping
from datetime import datetime
from functools import partial
from typing import Any, Final

import streamlit as st

from dashboards import forms, parts, shell, states, wording
from dashboards.booking import changing, data
from dashboards.booking.data import Rows
from dashboards.parts import Column
from dashboards.setup import agent
from dashboards.viewer import Viewer

_NEW_SERVICE: Final[dict[str, Any]] = {
    "id": None,
    "name": "",
    "duration_minutes": 30,
    "step_minutes": 30,
    "buffer_before_minutes": 0,
    "buffer_after_minutes": 0,
    "min_notice_minutes": 60,
    "horizon_days": 60,
    "price_cents": None,
    "currency": None,
    "is_active": True,
}
_MINUTES: Final = (
    ("duration_minutes", "It takes, in minutes", 5, 1_440, "What the customer sees."),
    ("step_minutes", "Starts every … minutes", 5, 1_440, "30 offers 9:00, 9:30, 10:00."),
    ("buffer_before_minutes", "Minutes before", 0, 1_440, "To prepare; nobody else is booked then."),
    ("buffer_after_minutes", "Minutes after", 0, 1_440, "To clean up; nobody else is booked then."),
    ("min_notice_minutes", "Booked … minutes ahead at least", 0, 525_600, "60: nobody books the next hour."),
    ("horizon_days", "Booked … days ahead at most", 1, 730, None),
)


def show(looking: Viewer, *, at: datetime) -> None:
    """Two cards; a row is changed where it stands."""
    del at
    st.html(parts.page_title("Services & hours", "Customers book in the chat whatever is offered here"))
    services, resources = (data.offered(looking.tenant_id, table) for table in ("services", "resources"))
    with st.container(border=True, key="card-services"):
        _services(looking, services)
    with st.container(border=True, key="card-resources"):
        _resources(looking, resources, services)


def _services(looking: Viewer, rows: Rows) -> None:
    with st.container(horizontal=True, horizontal_alignment="distribute", vertical_alignment="center"):
        st.html(parts.card_title("Services", "What can be booked, how long it takes and what it costs"))
        if st.button("New service", type="primary", icon=":material/add:", key="new-service"):
            forms.opened("A new service", partial(_service_form, looking, _NEW_SERVICE))
    if not rows:
        states.empty("Nothing can be booked yet", "Add a service, then somebody who serves.")
        return
    columns = [Column(title="Service"), *(Column(title=name, is_number=True) for name in ("Takes", "Price"))]
    cells = [
        (wording.escaped(row["name"]) + _resting(row), f"{row['duration_minutes']} min", wording.escaped(_price(row)))
        for row in rows
    ]
    st.html(parts.table(columns, cells, label="Services"))
    _edit_one(rows, "service", lambda row: forms.opened("Edit the service", partial(_service_form, looking, row)))


def _resources(looking: Viewer, rows: Rows, services: Rows) -> None:
    names = wording.told_apart({row["id"]: row["name"] for row in services})
    new: dict[str, Any] = {
        "id": None,
        "name": "",
        "timezone": looking.timezone,
        "hours": {},
        "exceptions": {},
        "service_ids": (),
        "is_active": True,
    }
    with st.container(horizontal=True, horizontal_alignment="distribute", vertical_alignment="center"):
        st.html(parts.card_title("People, rooms and chairs", "Each takes one appointment at a time, in its own hours"))
        if st.button("Add one", icon=":material/add:", key="new-resource"):
            forms.opened("Somebody or something new", partial(_resource_form, looking, new, names))
    if not rows:
        states.empty("Nobody serves yet", "Without a person, room or chair no time is free.")
        return
    columns = [Column(title=name) for name in ("Name", "Serves", "Time zone")]
    cells = [
        (
            f"{wording.escaped(row['name'])}{_resting(row)}<br><small>{wording.escaped(_hours(row))}</small>",
            wording.escaped(wording.listed([names[each] for each in row["service_ids"] if each in names]))
            if row["service_ids"]
            else "everything",
            wording.escaped(row["timezone"]),
        )
        for row in rows
    ]
    st.html(parts.table(columns, cells, label="People, rooms and chairs"))
    _edit_one(rows, "resource", lambda row: forms.opened("Edit", partial(_resource_form, looking, row, names)))


def _edit_one(rows: Rows, name: str, edit: Any) -> None:
    by_id = {row["id"]: row for row in rows}
    names = wording.told_apart({row["id"]: row["name"] for row in rows})
    with st.container(horizontal=True, vertical_alignment="bottom"):
        chosen = st.selectbox(
            "Change one",
            list(by_id),
            index=None,
            format_func=names.__getitem__,
            key=shell.renewed(f"edit-{name}"),
            width=320,
        )
        if st.button("Edit", icon=":material/edit:", key=f"edit-{name}", disabled=chosen is None) and chosen:
            edit(by_id[chosen])


def _service_form(looking: Viewer, known: dict[str, Any]) -> None:
    mark = shell.keyed("service", *known.values())
    st.text_input("Name", known["name"], max_chars=200, key=f"name-{mark}", placeholder="Cleaning")
    for number, (name, label, least, most, told) in enumerate(_MINUTES):
        if number % 2 == 0:
            # A row of its own: beneath one another, and from key to key, they follow as they are read.
            columns = st.columns(2)
        forms.number(label, least, most, known[name], within=columns[number % 2], key=f"{name}-{mark}", help=told)
    columns = st.columns(2)
    price = known["price_cents"]
    shown = None if price is None else price / 100
    forms.number("Price", 0.0, 20_000_000.0, shown, within=columns[0], key=f"price-{mark}", empty="not shown")
    columns[1].text_input("Currency", known["currency"] or "", max_chars=3, key=f"currency-{mark}", placeholder="EUR")
    st.toggle("Offered", known["is_active"], key=f"active-{mark}")
    forms.button("Save", partial(_save_service, looking, known, mark), key="save-service", kind="primary")


def _save_service(looking: Viewer, known: dict[str, Any], mark: str) -> bool:
    price = forms.value(f"price-{mark}")
    values = {name: int(forms.value(f"{name}-{mark}")) for name, *_ in _MINUTES} | {
        "name": forms.typed(f"name-{mark}"),
        "price_cents": None if price is None else round(price * 100),
        "currency": forms.typed(f"currency-{mark}").upper() or None,
        "is_active": bool(forms.value(f"active-{mark}")),
    }
    return changing.save(looking, "services", known["id"], values, shown=known)


def _resource_form(looking: Viewer, known: dict[str, Any], names: Mapping[Any, str]) -> None:
    mark = shell.keyed("resource", *known.values())
    st.text_input("Name", known["name"], max_chars=200, key=f"name-{mark}", placeholder="Dr. Ruiz")
    left, right = st.columns(2)
    left.text_area(
        "Hours",
        agent.told_hours(known["hours"]),
        height=180,
        key=f"hours-{mark}",
        placeholder="Empty: the business's own",
        help="A line a day: mon 09:00-13:00, 14:00-18:00",
    )
    right.text_area(
        "Other hours on single days",
        _told_exceptions(known["exceptions"]),
        height=180,
        key=f"exceptions-{mark}",
        placeholder="2026-12-25 closed\n2026-12-24 09:00-13:00",
        help="A line a day; closed means that nobody can book.",
    )
    st.multiselect(
        "Serves",
        list(names),
        [each for each in known["service_ids"] if each in names],
        format_func=names.__getitem__,
        placeholder="Everything",
        key=f"serves-{mark}",
    )
    left.text_input("Time zone", known["timezone"], max_chars=100, key=f"zone-{mark}")
    st.toggle("Can be booked", known["is_active"], key=f"active-{mark}")
    forms.button("Save", partial(_save_resource, looking, known, mark), key="save-resource", kind="primary")


def _save_resource(looking: Viewer, known: dict[str, Any], mark: str) -> bool:
    values = {
        "name": forms.typed(f"name-{mark}"),
        "timezone": forms.typed(f"zone-{mark}"),
        "hours": agent.read_hours(forms.typed(f"hours-{mark}")),
        "exceptions": read_exceptions(forms.typed(f"exceptions-{mark}")),
        "service_ids": list(forms.value(f"serves-{mark}") or ()),
        "is_active": bool(forms.value(f"active-{mark}")),
    }
    return changing.save(looking, "resources", known["id"], values, shown=known)


def read_exceptions(typed: str) -> dict[str, list[list[str]]]:
    """A line a day, `2026-12-24 09:00-13:00` or `2026-12-25 closed`; the rules judge what it says."""
    found: dict[str, list[list[str]]] = {}
    for line in filter(None, map(str.strip, typed.lower().splitlines())):
        day, _, rest = line.partition(" ")
        spans = [] if rest.strip() in {"closed", ""} else rest.split(",")
        found[day] = [[part.strip() for part in each.split("-", 1)] for each in spans if each.strip()]
    return found


def _told_exceptions(known: dict[str, Any]) -> str:
    return "\n".join(f"{day} {', '.join('-'.join(pair) for pair in known[day]) or 'closed'}" for day in sorted(known))


def _hours(row: dict[str, Any]) -> str:
    told = (
        "as the business"
        if not row["hours"]
        else f"{wording.counted(sum(map(bool, row['hours'].values())), 'day', 'days')} a week"
    )
    exceptions = wording.counted(len(row["exceptions"]), "exception", "exceptions")
    return f"{told}, {exceptions}" if row["exceptions"] else told


def _price(row: dict[str, Any]) -> str:
    if not row["price_cents"]:
        return "–" if row["price_cents"] is None else "free"
    return f"{row['price_cents'] / 100:,.2f} {row['currency'] or ''}".strip()


def _resting(row: dict[str, Any]) -> str:
    return "" if row["is_active"] else f" {parts.chip('rests')}"
