"""Whatever customers, colleagues and late workers do, a sequence keeps its promises."""

from dataclasses import dataclass, field
from datetime import UTC, datetime, time, timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from mychatflow.rules import business_hours, follow_up
from mychatflow.rules.follow_up import MAX_UNANSWERED, FollowUpFacts, FollowUpReason

START = datetime(2026, 3, 27, 12, tzinfo=UTC)
ZONES = ("UTC", "Europe/London", "America/Sao_Paulo", "Australia/Lord_Howe", "Asia/Kathmandu")
minutes = st.integers(1, 3 * 1440)
clocks = st.times().map(lambda each: each.replace(second=0, microsecond=0, tzinfo=None, fold=0))


@dataclass(kw_only=True)
class Sequence:
    """A run as the worker plays it: it looks now and then, and asks the rule each time."""

    delays: list[timedelta]
    zone: str
    quiet: tuple[time, time]
    inbound: list[datetime]
    human: list[datetime]
    unanswered: int
    conditions: list[bool]
    sent: list[tuple[int, datetime, datetime]] = field(default_factory=list)
    reasons: list[FollowUpReason] = field(default_factory=list)

    def play(self, looks: list[datetime]) -> None:
        step, scheduled_at = 0, START
        due_at = START + self.delays[0]
        for at in looks:
            facts = FollowUpFacts(
                scheduled_at=scheduled_at,
                due_at=due_at,
                delay=self.delays[step],
                timezone=self.zone,
                quiet_from=self.quiet[0],
                quiet_until=self.quiet[1],
                last_inbound_at=max((each for each in self.inbound if each <= at), default=None),
                last_human_at=max((each for each in self.human if each <= at), default=None),
                unanswered_count=self.unanswered + len(self.sent),
                is_condition_met=self.conditions[step],
            )
            decision = follow_up.decide(facts, at=at)
            self.reasons.append(decision.reason)
            match decision.action:
                case "wait":
                    due_at = decision.until or due_at
                    continue
                case "cancel":
                    return
                case "send":
                    self.sent.append((step, at, due_at))
                case "drop":
                    pass
            step += 1
            if step == len(self.delays):
                return
            scheduled_at, due_at = at, at + self.delays[step]


@st.composite
def sequences(draw):
    count = draw(st.integers(1, 5))
    moments = st.lists(minutes.map(lambda each: START + timedelta(minutes=each)), max_size=2)
    played = Sequence(
        delays=[timedelta(minutes=each) for each in draw(st.lists(minutes, min_size=count, max_size=count))],
        zone=draw(st.sampled_from(ZONES)),
        quiet=(draw(clocks), draw(clocks)),
        inbound=draw(moments),
        human=draw(moments),
        unanswered=draw(st.integers(0, MAX_UNANSWERED)),
        conditions=draw(st.lists(st.booleans(), min_size=count, max_size=count)),
    )
    at, looks = START, []
    for pause in draw(st.lists(minutes, min_size=1, max_size=40)):
        at += timedelta(minutes=pause)
        looks.append(at)
    played.play(looks)
    return played


@settings(max_examples=150)
@given(played=sequences())
def test_a_sequence_keeps_its_promises(played):
    place = business_hours.zone(played.zone)
    said = [at for _, at, _ in played.sent]
    # Nobody who wrote, or was written to by a person, hears from the sequence afterwards.
    assert not any(START < each <= at for each in played.inbound + played.human for at in said)
    assert played.unanswered + len(said) <= max(MAX_UNANSWERED, played.unanswered)
    assert [step for step, *_ in played.sent] == sorted({step for step, *_ in played.sent})
    for step, at, due_at in played.sent:
        assert not follow_up.is_quiet(
            at.astimezone(place).time(), quiet_from=played.quiet[0], quiet_until=played.quiet[1]
        )
        # Neither early nor bunched with the next; a look or two may pass, however short the delay.
        latest = max(timedelta(minutes=15), min(2 * played.delays[step], timedelta(hours=24)))
        assert timedelta(0) <= at - due_at <= latest
        assert played.conditions[step]
    # Two steps are at least the later one's delay apart.
    for (_, earlier, _), (step, later, _) in zip(played.sent, played.sent[1:], strict=False):
        assert later - earlier >= played.delays[step]


@settings(max_examples=50)
@given(played=sequences())
def test_every_look_has_a_reason(played):
    assert played.reasons
    assert all(isinstance(reason, FollowUpReason) for reason in played.reasons)
