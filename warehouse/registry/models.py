"""How the models do: speed, failover, and what they cost against what is earned."""

from dataclasses import replace
from typing import Final

from warehouse.metric import DURATION, EVENT, NO_DATA, PEOPLE, PROVIDER_CALL, RATIO, REPLY, Metric

_BY_AGENT: Final = "event_type = 'message_sent' and author = 'agent' and not is_part"
_ATTEMPT: Final = "event_type = 'llm_attempt'"
_LATENCY: Final = replace(
    DURATION,
    model="latency_sketches_daily",
    column="value_count",
    within="measure = 'ai_latency'",
    counted=f"case when {_BY_AGENT} then latency_ms end",
    dimensions=REPLY.dimensions,
)
_MICRO: Final = 1e-6
_USAGE: Final = replace(EVENT, zone="UTC", model="tenant_usage_daily", facts="usage_days", dimensions=())
_EARNED: Final = replace(_USAGE, unit="usd", scale=_MICRO)

MODELS: Final[tuple[Metric, ...]] = (
    replace(
        _LATENCY,
        name="reply_time_median",
        question="How fast does the agent answer?",
        numerator="median from the webhook's receipt to the gateway's acceptance, right within 1 %",
    ),
    replace(
        _LATENCY,
        name="reply_time",
        question="How fast does the agent answer, and how slow are the slowest?",
        numerator="median, 95th and 99th percentile from the webhook's receipt to the gateway's acceptance",
    ),
    *(
        replace(
            _LATENCY,
            name=name,
            question=question,
            numerator=numerator,
            within=f"measure = 'latency_step' and subject = '{subject}'",
            counted=f"case when event_type = '{event_type}' then {column} end",
            dimensions=PEOPLE,
        )
        for name, question, numerator, subject, event_type, column in (
            (
                "queue_time",
                "How long do messages wait for a worker?",
                "from the webhook's receipt to the start of the turn",
                "queued",
                "message_received",
                "queued_ms",
            ),
            (
                "time_to_device",
                "How soon is a message on the phone?",
                "from the gateway's acceptance to the phone's acknowledgement",
                "device ack",
                "message_delivered",
                "ms_since_sent",
            ),
            (
                "time_to_read",
                "How soon is a message read?",
                "from the gateway's acceptance to the reader's acknowledgement",
                "read ack",
                "message_read",
                "ms_since_sent",
            ),
        )
    ),
    replace(
        EVENT,
        name="failover_contacts",
        question="How many people did an outage touch?",
        grain="breaker opening",
        axis="the day the breaker opened",
        numerator="people answered by another model, per opening",
        model="failover_impact",
        column="contact_count",
        facts="failovers",
        counted="contact_count",
        dimensions=(),
    ),
    replace(
        PROVIDER_CALL,
        name="provider_share",
        question="Which model answers our customers?",
        unit="rate",
        null_rule=NO_DATA,
        numerator="agent replies written by the provider",
        denominator="all agent replies",
        column="reply_count",
        per_column="reply_count",
        counted=f"{_BY_AGENT} and provider is not null",
        per_counted=f"{_BY_AGENT} and provider is not null",
        share_of=("provider", "model"),
    ),
    replace(
        REPLY,
        name="failover",
        question="How often did another model have to step in?",
        unit="rate",
        null_rule=NO_DATA,
        numerator="agent replies won by a target other than the primary",
        denominator="agent replies",
        column="fallback_sent_count",
        per_column="agent_reply_count",
        counted=f"{_BY_AGENT} and is_fallback",
        per_counted=_BY_AGENT,
    ),
    replace(
        PROVIDER_CALL,
        name="model_calls",
        question="How often were the models asked?",
        numerator="calls to a model, failed, retried and hedged ones included",
        column="attempt_count",
        counted=_ATTEMPT,
    ),
    replace(
        PROVIDER_CALL,
        name="failed_calls",
        question="How often did a model fail?",
        unit="rate",
        null_rule=NO_DATA,
        numerator="calls that failed",
        denominator="all calls",
        column="failed_count",
        per_column="attempt_count",
        counted=f"{_ATTEMPT} and outcome = 'failed'",
        per_counted=_ATTEMPT,
    ),
    replace(
        PROVIDER_CALL,
        name="ai_cost",
        question="What do the models cost?",
        unit="usd",
        numerator="the price of every call, failed, retried and hedged ones included",
        column="cost_micro_usd",
        counted=f"case when {_ATTEMPT} then cost_micro_usd else 0 end",
        scale=_MICRO,
    ),
    *(
        replace(
            RATIO,
            name=f"cost_per_{word}",
            question=f"What does {thing} cost?",
            numerator="what the models cost",
            denominator=f"{things} in the period",
            column=f"ai_cost / {of}",
            divides=("ai_cost", of),
        )
        for word, thing, things, of in (
            ("reply", "a reply", "replies of the agent", "ai_replies"),
            ("contact", "a contact", "people who wrote", "people_reached"),
            ("episode", "an episode", "episodes begun", "episodes"),
            ("durable_resolution", "a problem settled for good", "episodes settled for good", "durable_resolution"),
            ("booking", "a booking", "appointments booked", "bookings"),
        )
    ),
    replace(
        _USAGE,
        name="credits",
        question="How much of the plan was used?",
        numerator="credits used",
        column="credit_count",
        counted="credit_count",
    ),
    replace(
        _EARNED,
        name="revenue",
        question="What do the messages earn?",
        numerator="credits at list price",
        column="revenue_micro_usd",
        counted="revenue_micro_usd",
    ),
    replace(
        _EARNED,
        name="margin",
        question="What is left after the models are paid?",
        numerator="credits at list price less the models' cost",
        column="margin_micro_usd",
        counted="margin_micro_usd",
    ),
    replace(
        _USAGE,
        name="plan_use",
        question="How much of the plan's allowance is used?",
        unit="rate",
        null_rule=NO_DATA,
        numerator="credits used",
        denominator="messages the plan allows",
        column="credit_count",
        per_column="daily_message_limit",
        counted="credit_count",
        per_counted="daily_message_limit",
    ),
)
