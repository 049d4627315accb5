"""Which contacts are meant, asked in a few fields: for campaigns and for the steps of a sequence."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import streamlit as st

from dashboards import forms, shell, wording
from dashboards.changes import NotDone
from mychatflow.rules.contact_filter import ContactFilter
from mychatflow.store import contact_filters

_GRADES: Final = ("A", "B", "C", "D", "F")
_TYPED: Final = ("tags_any", "tags_none", "languages")
_FIELDS: Final = (*_TYPED, "grades", "active_within_days", "silent_for_days", "is_opted_in")
_EVERYBODY: Final = "Everybody"
_BY_HAND: Final = "Chosen here"
_AGREED: Final = {None: "Does not matter", True: "Agreed to marketing", False: "Did not agree"}
_COMPARED: Final = {"is": "is", "is_not": "is not", "at_least": "at least", "at_most": "at most"}


def ask(known: Mapping[str, Any], segments: Sequence[Mapping[str, Any]], *, mark: str) -> None:
    """The fields: everybody, a saved segment, or by hand. `chosen` reads them."""
    saved = _saved(segments)
    options = [_EVERYBODY, *saved, _BY_HAND]
    first = _EVERYBODY if not known else next((name for name, each in saved.items() if each == known), _BY_HAND)
    picked = st.selectbox("Who", options, index=options.index(first), key=f"who-{mark}")
    if picked == _BY_HAND:
        _by_hand(known, mark=mark)
    elif picked in saved:
        st.caption(shell.plain(told(saved[picked])))


def chosen(known: Mapping[str, Any], segments: Sequence[Mapping[str, Any]], *, mark: str) -> dict[str, Any]:
    """The contact filter that stands in the fields now; what they do not show of the known one stays."""
    picked = forms.value(f"who-{mark}")
    if picked is None:
        return dict(known)
    if picked != _BY_HAND:
        return _saved(segments).get(str(picked), {})
    given = {name: forms.value(f"{name}-{mark}") for name in _FIELDS}
    given |= {name: [each.replace("\x00", "").strip() for each in given[name] or ()] for name in _TYPED}
    kept = {name: each for name, each in known.items() if name not in given}
    return kept | {name: each for name, each in given.items() if each not in (None, [])}


def checked(asked: Mapping[str, Any]) -> ContactFilter:
    """Raises NotDone for what no filter can mean."""
    try:
        return contact_filters.read(asked)
    except ValueError as error:
        raise NotDone(
            "an audience's tags and languages have 1 to 200 characters, and its days are 1 to 3650."
        ) from error


def told(known: Mapping[str, Any]) -> str:
    """The filter in words."""
    said = [
        *(f"{label} {wording.listed(known[name])}" for name, label in _LISTS.items() if known.get(name)),
        *(f"{label} {known[name]} days" for name, label in _DAYS.items() if known.get(name)),
        *(f"{label} {known[name]}" for name, label in _MOMENTS.items() if known.get(name)),
    ]
    if known.get("is_opted_in") is not None:
        said.append(_AGREED[bool(known["is_opted_in"])].lower())
    if known.get("is_handed_off") is not None:
        said.append("with a person" if known["is_handed_off"] else "not with a person")
    if known.get("owner"):
        said.append("answered by a person" if known["owner"] == "human" else "answered by the assistant")
    said.extend(_condition(each) for each in known.get("attributes", ()))
    return " · ".join(said) if said else "everybody"


_LISTS: Final = {
    "grades": "grade",
    "tags_any": "tagged any of",
    "tags_all": "tagged",
    "tags_none": "not tagged",
    "languages": "language",
}
_DAYS: Final = {"active_within_days": "wrote in the last", "silent_for_days": "silent for"}
_MOMENTS: Final = {"active_since": "wrote since", "active_until": "wrote before"}


def _condition(each: Mapping[str, Any]) -> str:
    comparison = each.get("comparison", "is")
    if comparison == "is_set":
        return f"{each['key']} is {'not known' if each.get('value') is False else 'known'}"
    return f"{each['key']} {_COMPARED[comparison]} {each['value']}"


def _saved(segments: Sequence[Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
    return {f"Segment: {segment['name']}": dict(segment["filter"]) for segment in segments}


def _by_hand(known: Mapping[str, Any], *, mark: str) -> None:
    grades = list(known.get("grades", ()))
    st.pills("Lead grade", _GRADES, selection_mode="multi", default=grades, key=f"grades-{mark}")
    left, right = st.columns(2)
    for place, name, label in (
        (left, "tags_any", "With any of these tags"),
        (right, "tags_none", "With none of these tags"),
        (left, "languages", "Languages, like es"),
    ):
        listed = list(known.get(name, ()))
        place.multiselect(label, listed, default=listed, accept_new_options=True, key=f"{name}-{mark}")
    for place, name, label in (
        (left, "active_within_days", "Wrote in the last … days"),
        (right, "silent_for_days", "Silent for … days"),
    ):
        forms.number(label, 1, 3_650, known.get(name), within=place, key=f"{name}-{mark}", empty="any")
    right.selectbox(
        "Consent",
        list(_AGREED),
        index=list(_AGREED).index(known.get("is_opted_in")),
        format_func=_AGREED.__getitem__,
        key=f"is_opted_in-{mark}",
    )
