"""What a business writes first: a campaign to many, and a follow-up to those who fell silent."""

import random
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from mychatflow import events
from mychatflow.events import EventType
from mychatflow.local.demo.business import Business
from mychatflow.local.demo.chat import Chat
from mychatflow.local.demo.episode import Episode
from mychatflow.local.demo.rows import Rows

_HELD_OUT = 0.1
# Of those who read it.
_ANSWERS = 0.26


def campaign_at(business: Business, until: datetime) -> datetime:
    """A late morning some five weeks before the end, by the business's clock."""
    local = (until - timedelta(days=36)).astimezone(ZoneInfo(business.timezone))
    return local.replace(hour=11, minute=0, second=0, microsecond=0).astimezone(UTC)


def describe(business: Business, rows: Rows, *, until: datetime) -> None:
    """The sequence and the campaign themselves."""
    tenant, sequence = business.tenant_id, business.id_of("sequence")
    rows.add("follow_up_sequences", tenant, sequence, "After a day of silence", "silence")
    for step, minutes in enumerate((1440, 4320), start=1):
        text = business.follow_up[business.default_language]
        rows.add("follow_up_steps", tenant, business.id_of(f"step:{step}"), sequence, step, minutes, text)
    sent_at = campaign_at(business, until)
    rows.add(
        "campaigns",
        *(tenant, business.id_of("campaign"), business.instance_id, _offer(business, sent_at)),
        *(business.campaign[business.default_language], "finished", sent_at, _HELD_OUT),
        *(sent_at, sent_at + timedelta(hours=1), sent_at - timedelta(days=2)),
    )


def _offer(business: Business, sent_at: datetime) -> str:
    """Named after the month in which it went out, whenever that was."""
    return f"{sent_at.astimezone(ZoneInfo(business.timezone)):%B} offer"


def follow_up(chat: Chat, episode: Episode, *, chance: random.Random) -> bool:
    """Ask once more, a day after an abandoned conversation; whether a message went out."""
    if episode.outcome != "abandoned" or episode.closed_at is None or chance.random() > 0.7:
        return False
    business, rows, until = chat.stage.business, chat.stage.rows, chat.stage.until
    due_at = _awake(business, episode.closed_at + timedelta(minutes=5), chance)
    run_id = business.id_of(f"run:{episode.episode_id}")
    sequence = business.id_of("sequence")
    if due_at > until:
        _schedule(chat, run_id=run_id, due_at=due_at, scheduled_at=episode.closed_at)
        return False
    is_held_out = chance.random() < _HELD_OUT
    state, reason = ("held_out", "control group") if is_held_out else ("finished", "sent")
    rows.add(
        "follow_up_runs",
        *(business.tenant_id, run_id, sequence, chat.contact_id, state, reason, episode.closed_at, due_at),
    )
    if is_held_out:
        return False
    sent = chat.say(business.follow_up[chat.language], at=due_at, episode_id=None, author="follow_up", kind="follow_up")
    follow_up_id = business.id_of(f"follow-up:{episode.episode_id}")
    rows.add(
        "follow_ups",
        *(business.tenant_id, follow_up_id, run_id, sequence, chat.contact_id, 1, due_at, "sent", None),
        *(sent.outbox_id, episode.closed_at, due_at),
    )
    chat.event(
        EventType.FOLLOWUP_SENT, str(follow_up_id), due_at, None,
        follow_up_id=str(follow_up_id), step=1, sequence_id=str(sequence),
    )  # fmt: skip
    return True


def campaign(chat: Chat, at: datetime, *, chance: random.Random) -> datetime | None:
    """This contact's part in the campaign, each a little later than the one before; when they answer, if they do."""
    business, rows = chat.stage.business, chat.stage.rows
    campaign_id = business.id_of("campaign")
    recipient_id = events.named_id("recipient", business.tenant_id, f"demo:{chat.contact_id}")
    known = (business.tenant_id, recipient_id, campaign_id, chat.contact_id)
    if chance.random() < _HELD_OUT:
        rows.add("campaign_recipients", *known, "held_out", "control group", at, business.instance_id, None, None)
        return None
    sent = chat.say(business.campaign[chat.language], at=at, episode_id=None, author="campaign", kind="campaign")
    chat.event(EventType.CAMPAIGN_SENT, str(sent.outbox_id), at, None, campaign_id=str(campaign_id))
    answers_at = None
    if sent.status == "read" and chance.random() < _ANSWERS:
        answers_at = sent.status_at + timedelta(minutes=chance.lognormvariate(3.5, 1))
    state, state_at = ("replied", answers_at) if answers_at else (sent.status, at)
    rows.add("campaign_recipients", *known, state, None, state_at, business.instance_id, at, at)
    return answers_at


def _schedule(chat: Chat, *, run_id: object, due_at: datetime, scheduled_at: datetime) -> None:
    """Still to come: the running installation will decide whether to send it."""
    business, rows = chat.stage.business, chat.stage.rows
    sequence = business.id_of("sequence")
    rows.add(
        "follow_up_runs",
        *(business.tenant_id, run_id, sequence, chat.contact_id, "running", None, scheduled_at, None),
    )
    rows.add(
        "follow_ups",
        *(business.tenant_id, business.id_of(f"follow-up:{run_id}"), run_id, sequence, chat.contact_id, 1, due_at),
        *("scheduled", None, None, scheduled_at, None),
    )


def _awake(business: Business, at: datetime, chance: random.Random) -> datetime:
    """Never at night: what falls into quiet hours waits for the morning."""
    local = at.astimezone(ZoneInfo(business.timezone))
    if 9 <= local.hour < 20:
        return at
    morning = local + timedelta(days=1 if local.hour >= 20 else 0)
    return morning.replace(hour=9, minute=int(chance.uniform(0, 59)), second=0, microsecond=0).astimezone(UTC)
