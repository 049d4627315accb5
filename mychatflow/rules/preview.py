"""What the rules would do with a message of a new customer now, one line a decision; a model is not asked."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from mychatflow.rules import activation, business_hours, handoff, intents, language, opt_out
from mychatflow.rules.activation import ActivationFacts, ActivationMode, ActivationReason, ActivationSettings
from mychatflow.rules.handoff import HandoffReason

_WARNINGS: Final = {
    ActivationReason.NO_KEYWORDS_CONFIGURED: "No keyword is set: the agent never answers.",
    ActivationReason.NO_HOURS_CONFIGURED: "No business hours are set: the agent answers at any hour.",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One step of the turn: what was decided and by what. After one that stops, nothing is sent by the agent."""

    step: str
    decision: str
    because: str
    stops: bool = False


def lines(settings: Mapping[str, Any], text: str, *, at: datetime) -> tuple[Line, ...]:
    """In the order of the turn; `settings` is a tenant's own, as stored. Raises InvalidHours for unusable hours."""
    signals = intents.extract(text)
    return (
        _command(text),
        _handoff(settings, text, signals),
        _activation(settings, text, at=at),
        _language(settings, text),
        _signals(text, signals),
    )


def warnings(settings: Mapping[str, Any]) -> tuple[str, ...]:
    """What was set up to have no effect, or more than it looks. Raises InvalidHours for unusable hours."""
    return tuple(_WARNINGS[reason] for reason in activation.warnings(_switches(settings)))


def _command(text: str) -> Line:
    command = opt_out.read(text)
    if command == "stop":
        return Line(step="Opt-out", decision="no automated message any more", because="the whole message", stops=True)
    return Line(step="Opt-out", decision="no", because=command or "no such word alone")


def _handoff(settings: Mapping[str, Any], text: str, signals: intents.Signals) -> Line:
    is_on = settings["handoff_enabled"]
    found = handoff.decide(signals, text, keywords=settings["handoff_keywords"], is_enabled=is_on)
    if found is None:
        because = "nobody was asked for" if is_on else "handing over is switched off"
        return Line(step="Hand-off", decision="stays with the agent", because=because)
    words = f"“{found.matched}”" if found.reason is HandoffReason.KEYWORD else _said(text, signals, {"handoff"})
    return Line(step="Hand-off", decision="a person takes over", because=words, stops=True)


def _activation(settings: Mapping[str, Any], text: str, *, at: datetime) -> Line:
    if not settings["auto_reply_enabled"]:
        return Line(step="Activation", decision="no reply", because="answering is switched off", stops=True)
    decided = activation.decide(_switches(settings), ActivationFacts(text=text, is_new_contact=True), at=at)
    answer = "answers" if decided.may_reply else ("the away message" if decided.sends_away else "no reply")
    return Line(
        step="Activation",
        decision=answer,
        because=decided.reason.value.replace("_", " "),
        stops=not decided.may_reply,
    )


def _switches(settings: Mapping[str, Any]) -> ActivationSettings:
    return ActivationSettings(
        mode=ActivationMode(settings["agent_activation_mode"]),
        keywords=tuple(settings["activation_keywords"]),
        session_hours=settings["session_hours"],
        hours=business_hours.parse(settings["business_hours"]),
        exceptions=business_hours.parse_exceptions(settings["business_hours_exceptions"]),
        timezone=settings["timezone"],
    )


def _language(settings: Mapping[str, Any], text: str) -> Line:
    decided = language.decide(
        text,
        supported=tuple(settings["supported_languages"]),
        default=settings["default_language"],
        current=None,
        is_multilingual=settings["multi_language_enabled"],
    )
    written = f"written in {decided.detected} ({decided.probability:.0%})" if decided.detected else "too few letters"
    return Line(
        step="Language", decision=decided.decided, because=f"{written}, {decided.reason.value.replace('_', ' ')}"
    )


def _signals(text: str, signals: intents.Signals) -> Line:
    named = [*signals.intents, *(["question"] if signals.is_question else [])]
    decision = ", ".join(named).replace("_", " ") or "none"
    return Line(step="Intents", decision=decision, because=_said(text, signals, named) or "no pattern matched")


def _said(text: str, signals: intents.Signals, kinds: Collection[str]) -> str:
    """The words in which it was found, each once: those within longer ones say nothing more."""
    found = {
        text[hit.start : hit.end].casefold(): text[hit.start : hit.end] for hit in signals.hits if hit.kind in kinds
    }
    longest = [words for words in found if not any(words in other and words != other for other in found)]
    return ", ".join(f"“{found[words]}”" for words in longest)
