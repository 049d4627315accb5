"""A person is fetched for those who ask, in the tenant's words or their own."""

from mychatflow.rules import handoff, intents
from mychatflow.rules.handoff import HandoffReason


def decide(text, *, keywords=(), is_enabled=True):
    return handoff.decide(intents.extract(text), text, keywords=keywords, is_enabled=is_enabled)


def test_a_tenant_keyword_hands_over():
    decision = decide("complaint about my order", keywords=["complaint"])

    assert decision is not None
    assert (decision.reason, decision.matched) == (HandoffReason.KEYWORD, "complaint")


def test_asking_for_a_human_hands_over():
    decision = decide("Hello, can I speak to a human?")

    assert decision is not None
    assert decision.reason is HandoffReason.ASKED_FOR_HUMAN
    assert decision.matched.endswith("speak to a human")


def test_nothing_hands_over_when_switched_off():
    assert decide("can I speak to a human?", keywords=["human"], is_enabled=False) is None


def test_a_story_about_a_person_hands_nothing_over():
    assert decide("I spoke to a real person yesterday") is None
