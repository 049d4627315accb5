"""How conversations go: who answered, who settled them, whether it lasted; every number by the day they began."""

from dataclasses import replace
from typing import Final

from warehouse.metric import DURATION, EPISODE, EPISODE_RATE, Metric

_DIMENSIONS: Final = EPISODE.dimensions
_INVOLVED: Final = "episodes the agent was involved in"

CONVERSATIONS: Final[tuple[Metric, ...]] = (
    replace(
        EPISODE,
        name="episodes",
        question="How many conversations began?",
        numerator="episodes started",
        column="true",
        counted="true",
    ),
    replace(
        EPISODE,
        name="outcomes",
        question="How do conversations end?",
        numerator="episodes by outcome, exactly one each",
        column="outcome",
        counted="true",
    ),
    replace(
        EPISODE,
        name="unattended",
        question="Which conversations wait for somebody?",
        numerator="open episodes without a first reply or with a customer message waiting",
        column="is_unattended",
        counted="is_unattended",
    ),
    replace(
        EPISODE_RATE,
        name="answered",
        question="How many conversations got an answer?",
        numerator="eligible episodes with a reply by anybody",
        denominator="eligible episodes",
        column="first_reply_at",
        counted="is_answered",
        per_counted="is_eligible",
    ),
    replace(
        EPISODE,
        name="unanswered",
        question="Which conversations were left without an answer?",
        numerator="eligible episodes without a reply by anybody",
        column="first_reply_at",
        counted="is_eligible and not is_answered",
    ),
    replace(
        EPISODE_RATE,
        name="involvement",
        question="How often does the agent take part?",
        numerator="episodes in which the agent replied or handed off for a reason other than quota",
        denominator="eligible episodes",
        column="is_involved",
        counted="is_involved",
        per_counted="is_eligible",
    ),
    replace(
        EPISODE_RATE,
        name="auto_resolution",
        question="How often does the agent settle it alone?",
        numerator="episodes resolved by the agent alone",
        denominator=_INVOLVED,
        column="outcome",
        counted="is_autonomous",
        per_counted="is_involved",
    ),
    replace(
        EPISODE_RATE,
        name="durable_resolution",
        question="How often does it stay settled?",
        numerator="autonomous episodes not reopened within 7 days",
        denominator="autonomous episodes resolved at least 7 days ago",
        column="reopened_at",
        counted="is_durable",
        per_counted="is_judged",
    ),
    replace(
        EPISODE_RATE,
        name="reopen",
        question="How often do people come back about it?",
        numerator="autonomous episodes later reopened",
        denominator="autonomous episodes",
        column="reopened_at",
        counted="is_reopened",
        per_counted="is_autonomous",
    ),
    replace(
        EPISODE_RATE,
        name="handoff",
        question="How often does a person have to take over?",
        numerator="involved episodes that were handed off",
        denominator=_INVOLVED,
        column="handoff_reason",
        counted="is_handed_off",
        per_counted="is_involved",
    ),
    *(
        replace(
            DURATION,
            name=name,
            question=question,
            grain="episode",
            axis=EPISODE.axis,
            numerator=numerator,
            model="episodes",
            column=column,
            facts="episodes",
            counted=column,
            dimensions=_DIMENSIONS,
        )
        for name, question, numerator, column in (
            (
                "first_response",
                "How long until the first reply of an episode?",
                "from the start of the episode to the first agent or human message",
                "first_response_ms",
            ),
            (
                "first_agent_response",
                "How long until the agent's first reply?",
                "from the start of the episode to the agent's first message",
                "first_agent_response_ms",
            ),
            (
                "first_human_response",
                "How long until a person's first reply?",
                "from the start of the episode to the first message of a colleague",
                "first_human_response_ms",
            ),
            (
                "resolution_time",
                "How long until an episode is resolved?",
                "from the start of the episode to its resolution",
                "resolution_ms",
            ),
        )
    ),
)
