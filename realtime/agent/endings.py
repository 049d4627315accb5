"""How a turn may end: answered, skipped, handed over, away, opted out or in, or waiting for the models."""

import dataclasses
from datetime import UTC, datetime, timedelta
from typing import Final, assert_never
from uuid import UUID

from msgspec import structs

from mychatflow.events import EventType, named_id
from mychatflow.rules import reply_parts
from mychatflow.rules.activation import ActivationDecision
from mychatflow.rules.gates import GateAction, GateDecision, GateReason
from mychatflow.rules.handoff import Cause
from realtime.agent import closing, phrases, reading
from realtime.agent.drafting import Decision, Draft
from realtime.agent.reading import Reading
from realtime.agent.scene import Scene
from realtime.engine.commit import Consent, ContactChange, EpisodeNote, Newer, Notification, Ownership, TurnEnd
from realtime.engine.work import Chat

_NO_MODEL_REST: Final = timedelta(seconds=60)
_SOONEST: Final = timedelta(seconds=1)
_TITLES: Final = {
    GateReason.NOT_CONNECTED: "A customer waits: the number is not connected",
    GateReason.NO_CREDITS: "The plan's messages for today are used up",
    GateReason.STALE: "A customer's message came too late to be answered",
    GateReason.RATE_LIMITED: "A customer got as many answers as an hour allows",
    GateReason.LOOP_SUSPECTED: "A conversation turns in circles and was paused",
}


def nothing(chat: Chat, read: Reading, *, contact_id: UUID | None, at: datetime) -> TurnEnd:
    """Only echoes, reactions or edits: stored, nothing to answer. They stay open while one waits for its message."""
    until = reading.ahead_until(chat, read, at=at)
    return TurnEnd(lease=chat.lease, contact_id=contact_id, seqs=read.seqs, is_done=until is None, due_at=until)


def skipped(scene: Scene, decision: GateDecision) -> TurnEnd:
    """No reply is due, and why."""
    switches = scene.tenant.switches
    notifications: tuple[Notification, ...] = ()
    if decision.notifies:
        title = _TITLES.get(decision.reason, "A message was not answered")
        notifications = (scene.news(str(decision.reason), title, is_urgent=True),)
    pause = timedelta(minutes=switches.human_pause_minutes) if decision.pauses else None
    is_blocked = decision.reason is GateReason.NO_CREDITS
    return closing.end(
        scene,
        contact=ContactChange(paused_until=scene.at + pause) if pause else None,
        episode=EpisodeNote(id=scene.episode_id, is_blocked=True) if is_blocked and scene.episode_id else None,
        notifications=notifications,
        events=(closing.skip_event(scene, decision),),
        refund=scene.subject,
    )


def silent(scene: Scene, draft: Draft) -> TurnEnd:
    """The model found that no answer is wanted."""
    properties = {"reason": "no_answer_wanted", "gate": None, "detail": draft.why}
    return closing.end(
        scene,
        newer="any",
        needs_agent=True,
        events=(scene.event(EventType.REPLY_SKIPPED, properties),),
        refund=scene.subject,
    )


def replied(scene: Scene, draft: Draft, *, session_expires_at: datetime | None, newer: Newer) -> TurnEnd:
    first, *others = reply_parts.parts(draft.text) if scene.tenant.switches.reply_split_enabled else (draft.text,)
    outgoing = closing.outgoing(scene, kind="reply", key=scene.subject, text=first, draft=draft)
    back = _resumed(scene)
    return closing.end(
        scene,
        newer=newer,
        needs_consent=True,
        needs_agent=True,
        releases=False,
        outgoing=outgoing,
        further=closing.further(scene, outgoing, others, draft),
        due_at=datetime.now(UTC) + reply_parts.PAUSE if others else None,
        contact=_after_reply(session_expires_at, back),
        ownership=back,
        follow_up=closing.follow_up(scene, outgoing),
    )


def _after_reply(session_expires_at: datetime | None, back: Ownership | None) -> ContactChange | None:
    if session_expires_at is None and back is None:
        return None
    return ContactChange(session_expires_at=session_expires_at, owner=back.owner if back else None)


def _resumed(scene: Scene) -> Ownership | None:
    """The agent answers again because a person's pause ran out: on record from the moment when it did."""
    contact = scene.chat.contact
    if contact is None or contact.owner != "human" or contact.paused_until is None:
        return None
    named = f"pause_over:{scene.contact_id}:{contact.paused_until.isoformat()}"
    return Ownership(
        id=named_id("ownership", scene.tenant_id, named), owner="agent", reason="pause_over", at=contact.paused_until
    )


def handed_off(scene: Scene, *, cause: Cause, matched: str | None, newer: Newer, text: str = "") -> TurnEnd:
    """Flag, notice, notification and event in one transaction."""
    switches = scene.tenant.switches
    notice = text or phrases.say(
        "handoff",
        language=scene.understanding.language,
        own=switches.handoff_message,
        default=switches.default_language,
    )
    typed = str(cause)
    return closing.end(
        scene,
        newer=newer,
        needs_consent=True,
        needs_agent=True,
        releases=False,
        outgoing=closing.outgoing(scene, kind="notice", key=f"notice:{scene.first_seq}", text=notice),
        contact=ContactChange(is_handed_off=True, handoff_reason=typed, owner="human"),
        ownership=Ownership(
            id=named_id("ownership", scene.tenant_id, f"handoff:{scene.first_seq}"),
            owner="human",
            reason=typed,
            at=scene.at,
        ),
        episode=EpisodeNote(id=scene.episode_id, handoff_reason=typed) if scene.episode_id else None,
        cancel_follow_ups="handed_off",
        notifications=(scene.news("handoff", "A customer waits for a person", is_urgent=True, reason=typed),),
        events=(scene.event(EventType.HANDOFF_TRIGGERED, {"reason": typed, "matched": matched}),),
        refund=scene.subject,
    )


def away(scene: Scene, decision: GateDecision) -> TurnEnd:
    """One away message for a closed period."""
    switches = scene.tenant.switches
    text = phrases.say(
        "away", language=scene.understanding.language, own=switches.away_message, default=switches.default_language
    )
    return closing.end(
        scene,
        needs_consent=True,
        releases=False,
        outgoing=closing.outgoing(scene, kind="away", key=f"away:{scene.contact_id}:{decision.detail}", text=text),
        contact=ContactChange(away_period=decision.detail),
        events=(closing.skip_event(scene, decision),),
        refund=scene.subject,
    )


def opted_out(scene: Scene) -> TurnEnd:
    """Consent, silence for everything queued, and one confirmation."""
    return _consented(scene, kind="opt_out", contact=ContactChange(opted_out_at=scene.at))


def opted_in(scene: Scene) -> TurnEnd:
    return _consented(scene, kind="opt_in", contact=ContactChange(opts_in=True))


def waiting(scene: Scene, *, retry_at: datetime | None) -> TurnEnd:
    """No model answers: the messages stay open, and the customer hears so once."""
    now = datetime.now(UTC)
    switches = scene.tenant.switches
    text = phrases.say(
        "fallback",
        language=scene.understanding.language,
        own=switches.fallback_message,
        default=switches.default_language,
    )
    return closing.end(
        scene,
        needs_consent=True,
        needs_agent=True,
        is_done=False,
        releases=False,
        due_at=max(retry_at or now + _NO_MODEL_REST, now + _SOONEST),
        outgoing=closing.outgoing(scene, kind="fallback", key=f"fallback:{scene.first_seq}", text=text),
    )


def _consented(scene: Scene, *, kind: str, contact: ContactChange) -> TurnEnd:
    is_out = kind == "opt_out"
    text = phrases.say(
        "opted_out" if is_out else "opted_in",
        language=scene.understanding.language,
        default=scene.tenant.switches.default_language,
    )
    last = scene.reading.customer[-1]
    return closing.end(
        scene,
        releases=False,
        outgoing=closing.outgoing(scene, kind="confirmation", key=f"{kind}:{scene.first_seq}", text=text),
        contact=contact,
        consent=Consent(
            id=named_id("consent", scene.tenant_id, f"{kind}:{scene.first_seq}"),
            kind="opt_out" if is_out else "opt_in",
            method="keyword",
            message_id=last.message.bare_id,
            at=scene.at,
        ),
        cancel_follow_ups="opted_out" if is_out else None,
        events=(scene.event(EventType.OPTED_OUT if is_out else EventType.OPTED_IN, {"method": "keyword"}),),
        # A draft that the command voided had taken a credit.
        refund=scene.subject,
    )


def without_model(scene: Scene, decision: GateDecision) -> TurnEnd:
    match decision.action:
        case GateAction.SKIP | GateAction.REPLY:
            return skipped(scene, decision)
        case GateAction.HANDOFF:
            wish = scene.understanding.handoff
            cause = wish.cause if wish else Cause.CUSTOMER_REQUEST
            return handed_off(scene, cause=cause, matched=wish.matched if wish else None, newer="ignored")
        case GateAction.AWAY:
            return away(scene, decision)
        case GateAction.OPT_OUT_CONFIRMATION:
            return opted_out(scene)
        case GateAction.OPT_IN_CONFIRMATION:
            return opted_in(scene)
        case _ as never:
            assert_never(never)


def with_draft(scene: Scene, draft: Draft, active: ActivationDecision, *, newer: Newer) -> TurnEnd:
    """As the draft wishes; a question that was not answered stays on record until somebody teaches the answer."""
    end = _as_drafted(scene, draft, active, newer=newer)
    return structs.replace(end, question=closing.question(scene, draft))


def _as_drafted(scene: Scene, draft: Draft, active: ActivationDecision, *, newer: Newer) -> TurnEnd:
    """A hand-over where a person is needed and the tenant allows it; else an answer or a question of ours."""
    is_handoff = draft.decision is Decision.HANDOFF and scene.tenant.switches.handoff_enabled
    if is_handoff:
        cause = Cause.MISSING_KNOWLEDGE if draft.text == "" else Cause.UNSUPPORTED_REQUEST
        return handed_off(scene, cause=cause, matched=draft.why, newer=newer, text=draft.text)
    if draft.decision is Decision.SILENCE:
        return silent(scene, draft)
    if draft.decision is not Decision.REPLY:
        draft = clarified(scene, draft)
    return replied(scene, draft, session_expires_at=active.session_expires_at, newer=newer)


def clarified(scene: Scene, draft: Draft) -> Draft:
    """Our own question in place of words that the checks refused."""
    switches = scene.tenant.switches
    text = draft.text or phrases.say(
        "clarify", language=scene.understanding.language, default=switches.default_language
    )
    return dataclasses.replace(draft, text=text)
