"""The demo's customers: who writes when, how often they come back, and what is known of them at the end."""

import random
import uuid
from datetime import datetime, timedelta

from mychatflow import events
from mychatflow.local.demo import outreach
from mychatflow.local.demo.bookings import Calendar
from mychatflow.local.demo.chat import Chat, Stage
from mychatflow.local.demo.conversation import Conversation
from mychatflow.local.demo.episode import Episode
from mychatflow.local.demo.models import Incident
from mychatflow.local.demo.rhythm import Rhythm
from mychatflow.local.demo.rows import array
from mychatflow.rules import lead_score
from mychatflow.rules.lead_score import NO_FACTS

# French numbers that the regulator set aside for films and books: 06 39 98 and four digits of one's own.
_FICTIONAL = "+3363998"
_COMES_BACK = 0.45


def live(
    stage: Stage,
    *,
    count: int,
    first_number: int,
    rhythm: Rhythm,
    known: tuple[Incident, ...],
    chance: random.Random,
) -> None:
    """Everyone who ever wrote to this business."""
    business = stage.business
    calendar = Calendar(business)
    languages = list(business.languages)
    for number in range(count):
        chat = Chat(
            stage=stage,
            contact_id=uuid.UUID(int=chance.getrandbits(128), version=4),
            phone=f"{_FICTIONAL}{first_number + number:04d}",
            name=f"{chance.choice(business.given)} {chance.choice(business.family)}",
            language=chance.choices(languages, weights=list(business.languages.values()))[0],
            chance=chance,
        )
        # One newcomer per equal share of the rhythm: as irregular as people, but no luckier than they are.
        first_at = rhythm.somewhen((number + chance.random()) / count, chance)
        _live(chat, first_at, rhythm=rhythm, known=known, calendar=calendar)


def _live(chat: Chat, first_at: datetime, *, rhythm: Rhythm, known: tuple[Incident, ...], calendar: Calendar) -> None:
    stage, chance = chat.stage, chat.chance
    campaign_at = outreach.campaign_at(stage.business, stage.until) + timedelta(seconds=chance.uniform(0, 3600))
    wants_campaign = chance.random() < 0.3
    starts_at: datetime | None = first_at
    episode: Episode | None = None
    while starts_at is not None:
        chat.cool_down(starts_at)
        episode = _episode(chat, starts_at, episode, known)
        if episode.outcome == "autonomous" and "scheduling_request" in chat.facts.intents and chance.random() < 0.5:
            calendar.book(chat, at=chat.outgoing[-1], episode_id=episode.episode_id, chance=chance)
        if episode.ends == "stop" or episode.closed_at is None:
            break
        was_asked = outreach.follow_up(chat, episode, chance=chance)
        starts_at = _next_start(chat, episode, rhythm, is_likely=was_asked or chance.random() < _COMES_BACK)
        free_from = max([episode.closed_at, *chat.outgoing[-1:]]) + timedelta(hours=1)
        if wants_campaign and free_from < campaign_at < (starts_at or stage.until):
            answers_at = outreach.campaign(chat, campaign_at, chance=chance)
            starts_at = min(filter(None, (answers_at, starts_at)), default=None)
            wants_campaign = False
    chat.cool_down(stage.until)
    _write_contact(chat, episode)


def _episode(chat: Chat, starts_at: datetime, before: Episode | None, known: tuple[Incident, ...]) -> Episode:
    is_recent = before is not None and before.closed_at is not None and starts_at - before.closed_at < timedelta(days=7)
    reason = "reopen" if is_recent else "initial"
    episode = Conversation(chat, starts_at=starts_at, reason=reason, known=known).play()
    chat.number += 1
    business = chat.stage.business
    chat.stage.rows.add(
        "episodes",
        *(business.tenant_id, episode.episode_id, chat.contact_id, business.instance_id, reason, episode.outcome),
        *(episode.handoff_reason, episode.resolved_by, chat.language),
        *(episode.inbound_count, episode.agent_count, episode.human_count, episode.agent_count > 0),
        *(episode.waiting_since is not None and episode.closed_at is None, episode.waiting_since, episode.started_at),
        *(episode.first_reply_at, episode.first_agent_at, episode.first_human_at, episode.last_inbound_at),
        *(episode.last_reply_at, episode.resolved_at, episode.closed_at),
    )
    return episode


def _next_start(chat: Chat, episode: Episode, rhythm: Rhythm, *, is_likely: bool) -> datetime | None:
    if not is_likely or episode.closed_at is None:
        return None
    chance = chat.chance
    earliest = max([episode.closed_at, *chat.outgoing[-1:]]) + timedelta(hours=chance.lognormvariate(3.4, 1.2))
    return rhythm.after(earliest, within=timedelta(days=3), chance=chance)


def _write_contact(chat: Chat, last: Episode | None) -> None:
    stage, business = chat.stage, chat.stage.business
    is_open = last is not None and last.closed_at is None
    is_handed_off = is_open and last is not None and last.handoff_reason is not None
    is_stopped = last is not None and last.ends == "stop" and last.closed_at is not None
    facts, score = chat.facts, chat.score or lead_score.score(NO_FACTS, as_of=stage.until)
    times = sorted([*chat.inbound, *chat.outgoing])
    stage.rows.add(
        "contacts",
        *(business.tenant_id, chat.contact_id, business.instance_id, chat.wa_id, chat.wa_id, chat.name, chat.phone),
        *(score.score, score.grade, score.base, facts.inbound_count, facts.question_count),
        *(array(sorted(facts.intents)), array(facts.reply_latencies), facts.awaiting_reply_since),
        *(facts.last_inbound_at, chat.scored_at, is_handed_off),
        *(last.handoff_reason if is_handed_off and last else None, "human" if is_handed_off else "agent"),
        *(chat.language, array(_tags(chat)), chat.outgoing[-1] if is_stopped else None),
        *(times[0] if times else None, times[-1] if times else None),
        *(chat.inbound[-1] if chat.inbound else None, chat.outgoing[-1] if chat.outgoing else None),
        times[0] if times else stage.until,
    )
    if is_handed_off and last is not None:
        _tell_team(chat, last)


def _tags(chat: Chat) -> list[str]:
    tags = []
    if chat.number > 2:
        tags.append("regular")
    if "price_inquiry" in chat.facts.intents:
        tags.append("asked-price")
    return tags


def _tell_team(chat: Chat, episode: Episode) -> None:
    """A conversation that waits for a person."""
    business, rows = chat.stage.business, chat.stage.rows
    changed_at = chat.inbound[-1] + timedelta(seconds=1)
    change = events.named_id("ownership", business.tenant_id, str(episode.episode_id))
    rows.add(
        "ownership_history", business.tenant_id, change, chat.contact_id, "human", episode.handoff_reason, None,
        changed_at,
    )  # fmt: skip
    rows.add(
        "notifications", business.tenant_id, change, chat.contact_id, "handoff",
        f"{chat.name} waits for a person", changed_at, None,
    )  # fmt: skip
