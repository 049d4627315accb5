"""An admin sees on the settings page what the agent would answer now, what it leans on and what it costs."""

from typing import Any

from tests.dashboards.conftest import HOSTILE, Town
from tests.dashboards.fake_api import Api, api
from tests.dashboards.test_pages import html_of, opened

__all__ = ["api"]
ANSWERED: dict[str, Any] = {
    "outcome": "reply",
    "texts": [f"A cut is 20 €. {HOSTILE}"],
    "language": "en",
    "intents": ["pricing"],
    "is_question": True,
    "sources": ["Price of a cut"],
    "provider": "openai",
    "model": "gpt-5.4-mini",
    "model_ms": 840,
    "model_calls": 1,
    "cost_micro_usd": 412,
    "steps": [{"step": "gates", "decision": "reply", "why": "may_reply", "ms": 0.1, "facts": {"gate": 14}}],
}
PATH = ("POST", "/api/v1/agent/preview")


def tried(town: Town, said: str) -> Any:
    test = opened("settings", workspace=town.dental.name).text_area(key="preview").set_value(said).run()
    return test.button(key="preview-ask").click().run()


def test_the_reply_is_shown_with_its_knowledge_and_cost(pages: Town, api: Api) -> None:
    api.says[PATH] = ANSWERED
    test = tried(pages, "How much is a cut?")

    shown = html_of(test)
    assert not test.exception
    assert [(path, body) for _, path, _, body in api.asked] == [(PATH[1], {"text": "How much is a cut?"})]
    for told in ("answered by the agent", "Price of a cut", "OpenAI gpt-5.4-mini", "$0.0004 for one call", "may reply"):
        assert told in shown
    assert HOSTILE not in shown


def test_a_reply_is_not_shown_beside_another_message(pages: Town, api: Api) -> None:
    api.says[PATH] = ANSWERED
    test = tried(pages, "How much is a cut?").text_area(key="preview").set_value("Hello").run()

    assert "answered by the agent" not in html_of(test)
    assert len(api.asked) == 1


def test_where_the_rules_decide_no_model_is_named(pages: Town, api: Api) -> None:
    api.says[PATH] = ANSWERED | {"outcome": "notice", "provider": None, "model": None, "model_calls": 0}
    shown = html_of(tried(pages, "A human please"))

    assert "a person takes over" in shown
    assert "Cost" not in shown


def test_a_refused_preview_says_why(pages: Town, api: Api) -> None:
    api.code = 429
    test = tried(pages, "Hello")

    assert test.toast[0].value.startswith("No reply to show:")
    assert not test.exception
