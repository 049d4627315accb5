"""Are the answers good: what people's grades say, with its doubt, and the queue in which they grade."""

from datetime import datetime
from functools import partial
from typing import Any
from uuid import UUID

import streamlit as st

from dashboards import behind, changes, chat, filters, parts, shell, states, wording
from dashboards import quality as known
from dashboards.behind import Behind
from dashboards.changes import NotDone
from dashboards.filters import Choice
from dashboards.viewer import Viewer
from mychatflow.rules import answer_quality
from mychatflow.rules.answer_quality import Reason, Stratum, Verdict
from mychatflow.rules.role import Permission
from mychatflow.store import answer_grades
from mychatflow.store.answer_grades import Answer
from mychatflow.store.cipher import TenantCipher
from mychatflow.store.on_record import Change
from warehouse import metrics

_SKIPPED = "skipped-answers"
_EXPLAINED = f"{metrics.help_text('answer_quality')} The queue draws evenly over languages, by chance."


def quality(looking: Viewer, choice: Choice, *, at: datetime) -> None:
    """The rate with its interval, or that it is not measured; the queue opens from here."""
    since, until = filters.instants(choice.period, looking.timezone)
    strata = known.by_language(looking.tenant_id, since=since, until=until)
    found = answer_quality.measure(strata)
    told = "Not measured" if found is None else f"{found.graded_count:,} graded by people"
    st.html(parts.card_title("Answer quality", told, _EXPLAINED))
    if not strata:
        states.empty("No answer in this period", "The agent's answers wait here to be graded.")
        return
    st.html(parts.rate(None if found is None else (found.rate, found.low, found.high)))
    with st.container(gap=None, key="languages"):
        st.html(parts.line(("Language", "Answers", "Graded", "Good"), is_head=True))
        for stratum in strata:
            _language(looking, choice, stratum, at=at)
    _reasons(looking, choice, at=at)
    if not looking.permits(Permission.GRADE_ANSWERS):
        return
    if st.button("Grade answers", icon=":material/grading:", key="grade-answers"):
        dialog = st.dialog("Is this answer good?", width="large", on_dismiss="rerun")
        dialog(partial(states.guarded, partial(_queue, looking, since, until, at=at)))()


def _language(looking: Viewer, choice: Choice, stratum: Stratum, *, at: datetime) -> None:
    """One language's answers, good or not; it opens who got them."""
    name = wording.language(stratum.name)
    place, is_pressed = shell.covered(f"language-{stratum.name}", f"{name}: who was answered in it")
    good = _good(stratum.good_count, stratum.graded_count)
    place.html(parts.line((wording.escaped(name), f"{stratum.answer_count:,}", f"{stratum.graded_count:,}", good)))
    if is_pressed:
        since, until = filters.instants(choice.period, looking.timezone)
        read = partial(known.people_in_language, looking.tenant_id, language=stratum.name, since=since, until=until)
        found = Behind(title=f"Answers in {name}", counted="answers", rows=read)
        behind.open_dialog(looking, found, choice.period, at=at)


def _reasons(looking: Viewer, choice: Choice, *, at: datetime) -> None:
    """Why answers were not good; each reason opens whom it met."""
    since, until = filters.instants(choice.period, looking.timezone)
    counts: dict[str, int] = {}
    for row in known.reasons(looking.tenant_id, since=since, until=until):
        counts[row["reason"]] = counts.get(row["reason"], 0) + row["answer_count"]
    if not counts:
        return
    reason = st.pills(
        "Why not good",
        list(counts),
        format_func=lambda name: f"{_reason(name)} **{counts[name]}**",
        key=shell.renewed("reasons"),
        label_visibility="collapsed",
    )
    if reason is not None:
        read = partial(known.people, looking.tenant_id, reason=reason, since=since, until=until)
        found = Behind(title=_reason(reason), counted="answers", rows=read)
        behind.open_dialog(looking, found, choice.period, at=at, renews="reasons")


def _reason(name: str) -> str:
    return wording.words(name) if name else "No reason given"


def _good(good: int, graded: int) -> str:
    if not graded:
        return "not measured"
    low, high = answer_quality.wilson(good / graded, graded)
    return f"{wording.share(good / graded, digits=0)} <small>{low * 100:.0f} to {high * 100:.0f}</small>"


def _queue(looking: Viewer, since: datetime, until: datetime, *, at: datetime) -> None:
    """One answer with what was said before it; a grade brings the next."""
    skipped: tuple[UUID, ...] = tuple(st.session_state.get(_SKIPPED, ()))
    answer = known.next_answer(looking.tenant_id, since=since, until=until, skipped=skipped)
    if answer is None:
        states.empty("Everything here is graded", "Choose a longer period to grade more.")
        return
    model = f"{wording.provider(answer.llm_provider or 'no model')} {answer.llm_model or ''}"
    where = f"{wording.language(answer.language)} · {model}"
    st.caption(f"{where} · {wording.ago(answer.occurred_at, at=at)}. The last bubble is the answer to judge.")
    st.html(chat.bubbles(known.context(looking.tenant_id, answer), timezone=looking.timezone))
    reason = st.pills("Why not good", list(Reason), format_func=wording.words, key=f"reason-{answer.interaction_id}")
    with st.container(horizontal=True, gap="small", key="verdicts"):
        grade = partial(_grade, looking, answer)
        st.button("Good", type="primary", icon=":material/thumb_up:", on_click=grade, args=(Verdict.GOOD, None))
        st.button("Bad", icon=":material/thumb_down:", on_click=grade, args=(Verdict.BAD, reason))
        st.button(
            "A person was needed", icon=":material/support_agent:", on_click=grade, args=(Verdict.ESCALATE, reason)
        )
        st.button("Skip", type="tertiary", on_click=_skip, args=(answer.interaction_id,))


def _skip(interaction_id: UUID) -> None:
    st.session_state[_SKIPPED] = [*st.session_state.get(_SKIPPED, ()), interaction_id][-500:]


def _grade(looking: Viewer, answer: Answer, verdict: Verdict, reason: Reason | None) -> None:
    if verdict is not Verdict.GOOD and reason is None:
        st.toast("Say why, then grade: a reason is what the knowledge can be mended by.", icon=":material/info:")
        return
    work = partial(_write, answer.interaction_id, verdict, reason)
    changes.make(looking, Permission.GRADE_ANSWERS, "answer.graded", answer.interaction_id, work)


async def _write(
    interaction_id: UUID,
    verdict: Verdict,
    reason: Reason | None,
    change: Change,
    cipher: TenantCipher,
    by: Viewer,
    at: datetime,
) -> None:
    facts: dict[str, Any] = {"verdict": verdict, "reason": reason}
    is_new = await answer_grades.grade(
        change.transaction,
        cipher.tenant_id,
        interaction_id,
        verdict=verdict,
        reason=reason,
        at=at,
        member_id=by.workspace.member_id,
    )
    if not is_new:
        raise NotDone("a colleague graded this answer just now.")
    change.detail.update(facts)
