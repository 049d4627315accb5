"""Where a business's own programs hear of its facts: addresses, their secrets, and what was told with what result."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from functools import partial
from typing import Any, Final, Literal
from uuid import UUID

import streamlit as st

from dashboards import api, forms, parts, shell, states, toasts, wording
from dashboards.api import ApiRefused
from dashboards.parts import Column
from dashboards.setup import data
from dashboards.viewer import Viewer
from mychatflow.events import EventType

_MADE: Final = "made-webhook"
_PATH: Final = "/webhook-endpoints"
_TONES: Final[Mapping[str, parts.Tone]] = {"delivered": "good", "pending": "warn", "failed": "bad"}
_OFF: Final = {"by_hand": "Switched off", "failing": "Took nothing for days", "gone": "Says it is gone"}
_SPANS: Final = {"Last hour": timedelta(hours=1), "Last day": timedelta(days=1), "Last week": timedelta(days=7)}


def show(looking: Viewer, *, at: datetime) -> None:
    """One card an address, the newest first."""
    with st.container(horizontal=True, horizontal_alignment="distribute", vertical_alignment="bottom"):
        told = "Your programs hear of each fact, signed, and again until they take it"
        st.html(parts.page_title("Webhooks", told), width="content")
        if st.button("New webhook", type="primary", icon=":material/add:", key="new-webhook"):
            forms.opened("A new webhook", partial(_form, looking))
    _secret()
    rows = data.webhooks(looking.tenant_id)
    if not rows:
        with st.container(border=True, key="card-webhooks"):
            states.empty("No webhook yet", "Add the https address of a program of yours; nothing is told before that.")
    for row in rows:
        with st.container(border=True, key=f"card-webhook-{row['id']}"):
            _endpoint(looking, row, at=at)


def _secret() -> None:
    """Once, right after it was made."""
    secret = st.session_state.pop(_MADE, None)
    if secret:
        st.success("Copy the secret now: it is not shown again. It checks the header webhook-signature.")
        st.code(secret, language=None)


def _form(looking: Viewer) -> None:
    st.text_input("Address", max_chars=2_000, key="webhook-url", placeholder="https://example.com/hooks")
    st.text_input("What it is for", max_chars=200, key="webhook-description", placeholder="Our CRM")
    st.multiselect(
        "Facts",
        [each.value for each in EventType],
        format_func=wording.words,
        key="webhook-types",
        placeholder="All of them",
    )
    forms.button("Add the webhook", partial(_add, looking), key="add-webhook", kind="primary")


def _add(looking: Viewer) -> bool:
    wanted = {"url": forms.typed("webhook-url"), "event_types": list(forms.value("webhook-types") or ())}
    if not wanted["url"]:
        toasts.refused("a webhook needs an address.")
        return False
    description = forms.typed("webhook-description")
    made = _asked(looking, "POST", _PATH, wanted | ({"description": description} if description else {}))
    if made is None:
        return False
    st.session_state[_MADE] = made["secret"]
    return True


def _endpoint(looking: Viewer, row: dict[str, Any], *, at: datetime) -> None:
    left, right = st.columns([1, 1.4])
    with left:
        st.html(parts.card_title(row["description"] or "Webhook", row["url"]))
        st.html(_state(row))
        two = row["previous_secret_until"]
        facts = {
            "Facts": wording.listed([wording.words(each) for each in row["event_types"]] or ["all"]),
            "Failing": wording.ago(row["failing_since"], at=at) if row["failing_since"] else "no",
            "Old secret signs": f"until {wording.clock(two, looking.timezone)}" if two and two > at else "no",
            "Added": wording.ago(row["created_at"], at=at),
        }
        st.html(parts.facts(facts))
        _actions(looking, row)
    with right:
        _log(looking, row, at=at)


def _actions(looking: Viewer, row: dict[str, Any]) -> None:
    path = f"{_PATH}/{row['id']}"
    with st.container(horizontal=True):
        label = "Switch off" if row["is_active"] else "Switch on"
        switched = {"is_active": not row["is_active"]}
        st.button(label, key=f"switch-{row['id']}", on_click=_change, args=(looking, "PATCH", path, switched))
        st.button("New secret", key=f"rotate-{row['id']}", on_click=_rotate, args=(looking, row["id"]))
        with st.popover("Delete", type="tertiary", key=f"deleting-{row['id']}"):
            st.caption("Nothing more is told there, and its log goes with it.")
            st.button("Delete the webhook", key=f"delete-{row['id']}", on_click=_change, args=(looking, "DELETE", path))


def _rotate(looking: Viewer, endpoint_id: UUID) -> None:
    """The one before signs beside it for a day, so nothing is refused meanwhile."""
    made = _asked(looking, "POST", f"{_PATH}/{endpoint_id}/rotate-secret")
    if made is not None:
        st.session_state[_MADE] = made["secret"]


def _log(looking: Viewer, row: dict[str, Any], *, at: datetime) -> None:
    st.html(parts.card_title("Deliveries", "The latest 20; what was not taken is tried for a day and a half"))
    told = data.deliveries(looking.tenant_id, row["id"])
    if told:
        columns = [Column(title=name) for name in ("Fact", "State", "Answer", "When")]
        st.html(parts.table(columns, [_cells(each, at=at) for each in told], label=f"Deliveries to {row['url']}"))
    else:
        states.empty("Nothing was told yet", "What happens from now on is told here within seconds.")
    _again(looking, row, told, at=at)


def _cells(each: dict[str, Any], *, at: datetime) -> tuple[str, str, str, str]:
    tries = f"{each['attempts']} tries" if each["attempts"] > 1 else ""
    took = wording.short_ms(each["last_duration_ms"]) if each["last_duration_ms"] is not None else ""
    # The status says more than our own word for it.
    answer = [str(each["last_status"] or each["last_error"] or "").replace("_", " "), took]
    return (
        wording.escaped(wording.words(each["event_type"] or "erased")),
        f"{parts.status(wording.words(each['state']), _TONES[each['state']])} <small>{wording.escaped(tries)}</small>",
        f"<small>{wording.escaped(' · '.join(filter(None, answer)))}</small>",
        wording.escaped(wording.ago(each["last_tried_at"] or each["created_at"], at=at)),
    )


def _again(looking: Viewer, row: dict[str, Any], told: data.Rows, *, at: datetime) -> None:
    """One delivery, or all facts of a time: also those of when it was off."""
    key = f"again-{row['id']}"
    when = {each["id"]: wording.clock(each["created_at"], looking.timezone) for each in told}
    facts = {each["id"]: f"{wording.words(each['event_type'] or 'erased')}, {each['state']}" for each in told}
    names = wording.told_apart(facts, when.__getitem__)
    with st.container(horizontal=True, vertical_alignment="bottom"):
        chosen = st.selectbox(
            "Tell again",
            [*_SPANS, *names],
            index=None,
            format_func=lambda wanted: names.get(wanted, wanted),
            key=shell.renewed(key),
        )
        if st.button("Tell", key=f"tell-{row['id']}", disabled=chosen is None) and chosen is not None:
            _replay(looking, row["id"], chosen, at=at)
            shell.renew(key)
            st.rerun()


def _replay(looking: Viewer, endpoint_id: UUID, chosen: UUID | str, *, at: datetime) -> None:
    path = f"{_PATH}/{endpoint_id}"
    if isinstance(chosen, UUID):
        done = _asked(looking, "POST", f"{path}/deliveries/{chosen}/replay")
        words = "It is told again in a moment."
    else:
        window = {"since": (at - _SPANS[chosen]).isoformat(), "until": at.isoformat()}
        done = _asked(looking, "POST", f"{path}/replay", window)
        words = f"{done['count']} facts are told again in a moment." if done else ""
    if done is not None:
        toasts.done(words)


def _change(looking: Viewer, method: Literal["PATCH", "DELETE"], path: str, body: dict[str, Any] | None = None) -> None:
    _asked(looking, method, path, body)


def _asked(
    looking: Viewer, method: Literal["POST", "PATCH", "DELETE"], path: str, body: dict[str, Any] | None = None
) -> dict[str, Any] | None:
    """The API's answer; None when it refused, which was said."""
    try:
        return api.ask(looking, method, path, body) or {}
    except ApiRefused as refused:
        toasts.refused(refused)
        return None


def _state(row: dict[str, Any]) -> str:
    if row["is_active"]:
        return parts.status("Failing", "warn") if row["failing_since"] else parts.status("On", "good")
    reason = row["disabled_reason"] or "by_hand"
    return parts.status(_OFF.get(reason, "Off"), "quiet" if reason == "by_hand" else "bad")
