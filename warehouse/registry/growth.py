"""How warm people are, whether they book, and whether writing to them helps."""

from dataclasses import replace
from typing import Final

from warehouse.metric import EVENT, NO_DATA, PEOPLE, Metric

_LEAD: Final = replace(
    EVENT,
    grain="contact",
    axis="now",
    model="lead_scores_current",
    facts="leads",
    dimensions=(*PEOPLE, "stage"),
)
_RECIPIENT: Final = replace(
    EVENT,
    grain="recipient",
    axis="the day the campaign began",
    model="campaign_recipients",
    facts="recipients",
    dimensions=(*PEOPLE, "campaign_id"),
)
_RUN: Final = replace(
    EVENT,
    grain="run",
    axis="the day the run started",
    model="follow_up_runs",
    facts="follow_up_runs",
    dimensions=(*PEOPLE, "sequence_id"),
)

GROWTH: Final[tuple[Metric, ...]] = (
    replace(
        _LEAD,
        name="lead_funnel",
        question="How far do people come?",
        axis="the days they wrote",
        kind="people",
        numerator="people who wrote, were answered, wrote three times, were graded C or better, booked",
        column="stage",
        facts="writers",
    ),
    replace(
        _LEAD,
        name="lead_grades",
        question="How warm are our leads now?",
        kind="people",
        numerator="contacts by grade: A from 80, B from 60, C from 40, D from 20 points",
        column="grade",
    ),
    replace(
        _LEAD,
        name="lead_score",
        question="How warm is this lead?",
        unit="score",
        kind="quantile",
        numerator="points for messages, speed, questions and intents, up to 100, less what silence costs",
        column="score",
        counted="score",
    ),
    replace(
        EVENT,
        name="lead_conversion",
        question="Do warm leads book?",
        unit="rate",
        grain="contact and grade",
        axis="the day the grade was first reached",
        null_rule=NO_DATA,
        numerator="contacts with an appointment within 30 days of a grade",
        denominator="contacts whose 30 days are over",
        model="lead_conversions",
        column="has_booked",
        facts="conversions",
        counted="is_due and has_booked",
        per_counted="is_due",
    ),
    *(
        replace(
            _RECIPIENT,
            name=name,
            question=question,
            unit="rate",
            null_rule=NO_DATA,
            numerator=f"messages {word}",
            denominator="messages sent",
            column=column,
            counted=column,
            per_counted="is_sent",
        )
        for name, question, word, column in (
            ("campaign_delivery", "Do our campaigns arrive?", "delivered", "is_delivered"),
            ("campaign_read", "Are our campaigns read?", "read", "is_read"),
            ("campaign_reply", "Do people answer our campaigns?", "answered", "has_replied"),
        )
    ),
    replace(
        _RECIPIENT,
        name="campaign_messages",
        question="How many people did campaigns write to?",
        numerator="messages sent",
        column="is_sent",
        counted="is_sent",
    ),
    replace(
        _RUN,
        name="follow_up_reply",
        question="Do people answer when followed up?",
        unit="rate",
        null_rule=NO_DATA,
        numerator="runs chosen to write whose person wrote within 7 days of the start",
        denominator="runs chosen to write",
        column="has_replied and not is_held_out",
        counted="has_replied and not is_held_out",
        per_counted="not is_held_out",
    ),
    replace(
        _RUN,
        name="held_out_reply",
        question="Do people answer when left alone?",
        unit="rate",
        null_rule=NO_DATA,
        numerator="runs held out whose person wrote within 7 days of the start",
        denominator="runs held out",
        column="has_replied and is_held_out",
        counted="has_replied and is_held_out",
        per_counted="is_held_out",
    ),
    replace(
        _RUN,
        name="follow_up_lift",
        question="Does following up make people answer?",
        unit="rate",
        kind="lift",
        null_rule=NO_DATA,
        numerator="reply rate of runs chosen to write less the reply rate of runs held out, with its interval",
        model="follow_up_performance",
        column="assigned_replied_count",
        facts=None,
        divides=("follow_up_reply", "held_out_reply"),
    ),
)
