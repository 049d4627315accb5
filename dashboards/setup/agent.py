"""How the agent behaves: when it answers, in which languages, with which models, and when a person takes over."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import streamlit as st
from pydantic import ValidationError

from dashboards import changes, parts, shell, toasts, wording
from dashboards.changes import NotDone
from dashboards.setup import data, preview, refusals
from dashboards.viewer import Viewer
from mychatflow import settings as configuration
from mychatflow.rules.activation import ActivationMode
from mychatflow.rules.role import Permission
from mychatflow.store import tenant_settings
from mychatflow.store.cipher import TenantCipher
from mychatflow.store.on_record import Change
from mychatflow.store.tenant_settings import SettingsChange, SettingsRefused

_WEEK = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_MODES = {
    ActivationMode.ALWAYS_ON: "Always",
    ActivationMode.BUSINESS_HOURS: "Inside business hours",
    ActivationMode.OUTSIDE_HOURS_ONLY: "Outside business hours",
    ActivationMode.KEYWORD_TRIGGERED: "After a keyword",
    ActivationMode.NEW_CONTACTS_ONLY: "New contacts only",
}
_PRESETS = {"fast": "Fast", "quality": "Quality", "vision": "Reads pictures"}
_PROVIDERS = ("openai", "anthropic", "gemini")
_OWN_WORDS = "Customers of another language read ours in theirs, and this below it."


def show(looking: Viewer, *, at: datetime) -> None:
    """Four forms, each saved by itself, and what the agent would do with a message now."""
    st.html(parts.page_title("Agent settings", "Each card is saved by itself and holds from the next message on"))
    known = data.settings(looking.tenant_id)
    left, right = st.columns([1.25, 1])
    with left:
        _card(looking, "business", "The business", "What the agent knows of you without being asked", _business, known)
        _card(looking, "answering", "When it answers", "The hours are the workspace's own time", _answering, known)
        _card(
            looking, "people", "When a person takes over", "Customers asking for one are always heard", _people, known
        )
        _card(looking, "models", "Models", "Another answers when the first one does not", _models, known)
    with right, st.container(border=True, key="card-preview"):
        preview.show(looking, known, at=at)


def _card(looking: Viewer, name: str, title: str, subtitle: str, form: Any, known: Mapping[str, Any]) -> None:
    with st.container(border=True, key=f"card-settings-{name}"), st.form(f"settings-{name}", border=False):
        st.html(parts.card_title(title, subtitle))
        wanted = form(known)
        if st.form_submit_button("Save", type="primary"):
            save(looking, known, wanted)


def save(looking: Viewer, known: Mapping[str, Any], wanted: Mapping[str, Any]) -> None:
    """Only what differs is written; a refusal names the field in the words of the API."""
    given = {name: value for name, value in wanted.items() if value != _plain(known[name])}
    if not given:
        st.toast("Nothing was changed.", icon=":material/info:")
        return

    async def work(change: Change, cipher: TenantCipher, _by: Viewer, _at: datetime) -> None:
        try:
            wished = SettingsChange(**given)
            await tenant_settings.change(change.transaction, cipher.tenant_id, wished, house=configuration.load())
        except SettingsRefused as refused:
            raise NotDone(refusals.together(refused)) from refused
        except ValidationError as error:
            raise NotDone(refusals.invalid(error)) from error
        change.detail["keys"] = sorted(given)

    if changes.make(looking, Permission.MANAGE_SETTINGS, "settings.changed", looking.tenant_id, work):
        toasts.done("Saved.")


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value


def _business(known: Mapping[str, Any]) -> dict[str, Any]:
    name = st.text_input("Name", known["business_name"] or "", max_chars=200)
    industry = st.text_input("Industry", known["industry"], max_chars=200)
    described = st.text_area("Description", known["business_description"] or "", max_chars=4_000, height=110)
    zone = st.text_input("Time zone", known["timezone"], help="An IANA name such as Europe/Madrid.")
    return {
        "business_name": _typed(name) or None,
        "industry": _typed(industry),
        "business_description": _typed(described) or None,
        "timezone": _typed(zone),
    }


def _answering(known: Mapping[str, Any]) -> dict[str, Any]:
    is_on = st.toggle("Answer by itself", known["auto_reply_enabled"])
    modes = list(_MODES)
    mode = st.selectbox(
        "When", modes, index=modes.index(known["agent_activation_mode"]), format_func=_MODES.__getitem__
    )
    keywords = st.text_input("Keywords, separated by commas", ", ".join(known["activation_keywords"]))
    hours = st.text_area(
        "Business hours",
        told_hours(known["business_hours"]),
        height=180,
        help=f"A line a day: {refusals.HOURS}",
    )
    away = st.text_area("Away message", known["away_message"] or "", max_chars=1_000, height=70, help=_OWN_WORDS)
    left, right = st.columns(2)
    default = left.text_input("Default language", known["default_language"], max_chars=2)
    languages = right.text_input("Languages, separated by commas", ", ".join(known["supported_languages"]))
    return {
        "auto_reply_enabled": is_on,
        "agent_activation_mode": str(mode),
        "activation_keywords": _listed(keywords),
        "business_hours": read_hours(hours),
        "away_message": _typed(away) or None,
        "default_language": _typed(default).lower(),
        "supported_languages": _listed(languages.lower()),
    }


def _people(known: Mapping[str, Any]) -> dict[str, Any]:
    is_on = st.toggle("Hand over to people", known["handoff_enabled"])
    keywords = st.text_input("Your own words for it, separated by commas", ", ".join(known["handoff_keywords"]))
    message = st.text_area(
        "What the customer then reads", known["handoff_message"] or "", max_chars=1_000, height=70, help=_OWN_WORDS
    )
    # Without limits of their own, which would keep the number of before: the rules refuse in words.
    pause = st.number_input(
        "Minutes the agent stays silent after a person wrote, 1 to 43,200", value=known["human_pause_minutes"]
    )
    saved = st.number_input(
        "Minutes a reply of the agent saves a person, 0 to 120",
        value=float(known["reply_saves_minutes"]),
        step=0.5,
        help="Your own estimate; the number of hours saved is the agent's replies times this.",
    )
    return {
        "handoff_enabled": is_on,
        "handoff_keywords": _listed(keywords),
        "handoff_message": _typed(message) or None,
        "human_pause_minutes": int(pause),
        "reply_saves_minutes": float(saved),
    }


def _models(known: Mapping[str, Any]) -> dict[str, Any]:
    # What an older release wrote stays a choice, in its own word, until somebody makes another.
    presets = list(dict.fromkeys([*_PRESETS, known["llm_preset"]]))
    preset = st.segmented_control(
        "Preset",
        presets,
        default=known["llm_preset"],
        format_func=lambda each: _PRESETS.get(each, shell.plain(each[:40])),
        required=True,
    )
    left, right = st.columns(2)
    first = _provider(left, "First", known["primary_llm_provider"])
    second = _provider(right, "Second", known["fallback_llm_provider"])
    temperature = st.slider("Temperature", 0.0, 2.0, float(known["ai_temperature"]), 0.1, help="0 repeats, 2 wanders.")
    fallback = st.text_area(
        "What customers read when no model answers",
        known["fallback_message"] or "",
        max_chars=1_000,
        height=70,
        help=_OWN_WORDS,
    )
    return {
        "llm_preset": preset,
        "primary_llm_provider": first,
        "fallback_llm_provider": second,
        # A model named through the API goes with its vendor.
        "primary_llm_model": known["primary_llm_model"] if first == known["primary_llm_provider"] else None,
        "fallback_llm_model": known["fallback_llm_model"] if second == known["fallback_llm_provider"] else None,
        "ai_temperature": temperature,
        "fallback_message": _typed(fallback) or None,
    }


def _provider(place: Any, label: str, known: str | None) -> str | None:
    found = place.selectbox(
        f"{label} vendor",
        _PROVIDERS,
        index=_PROVIDERS.index(known) if known in _PROVIDERS else None,
        format_func=wording.provider,
        placeholder="As the preset says",
    )
    return None if found is None else str(found)


def read_hours(typed: str) -> dict[str, list[list[str]]]:
    """A line a day, `mon 09:00-13:00, 14:00-18:00`, as the settings keep it; the rules judge what it says."""
    found: dict[str, list[list[str]]] = {}
    for line in filter(None, map(str.strip, typed.lower().splitlines())):
        day, _, rest = line.partition(" ")
        spans = [[part.strip() for part in each.split("-", 1)] for each in rest.split(",") if each.strip()]
        found.setdefault(day[:3], []).extend(spans)
    return found


def told_hours(hours: Mapping[str, Any]) -> str:
    """The settings' hours as `read_hours` reads them."""
    return "\n".join(f"{day} {', '.join('-'.join(pair) for pair in hours[day])}" for day in _WEEK if hours.get(day))


def _typed(value: str) -> str:
    """Postgres has no text with a NUL character."""
    return value.replace("\x00", "").strip()


def _listed(value: str) -> list[str]:
    return list(dict.fromkeys(each for part in value.split(",") if (each := _typed(part))))
