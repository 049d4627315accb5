"""What a scenario file may say: a business, what customers and colleagues do, what models answer, what must follow."""

from pathlib import Path
from typing import Annotated, Any, Literal

import pytest
import yaml
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

from tests.fakes.llm import answer_json

FOLDER = Path(__file__).parent
Seconds = Annotated[float, Field(ge=0)]


class Strict(BaseModel):
    """A misspelt key would be a promise that nobody checks."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Passage(Strict):
    title: str
    body: str
    language: str = "en"


class Answer(Strict):
    """An answer in the form that the models are asked for; a plain string in its place is sent as it stands."""

    reply: str
    language: str = "en"
    action: str = "answer"
    sources: tuple[str, ...] = ()

    def written(self) -> str:
        return answer_json(self.reply, language=self.language, action=self.action, sources=list(self.sources))


class Fault(Strict):
    fault: str
    times: int | None = None


class Model(Strict):
    """One provider: its answers in order, the last one for whatever is asked after it."""

    says: tuple[Answer | str, ...] = (Answer(reply="Thank you, how may we help?"),)
    # Instead: what it was told in confidence, as it stands or in Base64, or the prompt's mark, spelt out.
    gives_away: Literal["prompt", "base64", "mark"] | None = None
    fault: Fault | None = None
    seconds: Seconds = 0.0


class Step(Strict):
    """One thing that happens. The next waits until all is quiet, unless this one says `at_once`."""

    customer: str | None = None
    owner: str | None = None
    picture: str | None = None
    broken_picture: str | None = None
    voice: str | None = None
    document: str | None = None
    reaction: str | None = None
    # The customer's latest message becomes that, or is deleted.
    edits: str | None = None
    takes_back: bool = False
    takeover: bool = False
    repeat: bool = False
    sql: str | None = None
    ago: Seconds = 0.0
    times: int = 1
    # Between those times, and whether each text ends with its number.
    pause_each: Seconds = 0.0
    counts: bool = False
    at_once: bool = False
    pause: Seconds = 0.0
    while_thinking: bool = False


class Sent(Strict):
    """A message of which only parts are fixed."""

    holds: tuple[str, ...] = ()
    lacks: tuple[str, ...] = ()


class Prompt(Strict):
    """What a request to a model must and must not hold, anywhere."""

    holds: tuple[str, ...] = ()
    lacks: tuple[str, ...] = ()


class Expected(Strict):
    """What is not said here must not have happened: no sends, no skips, no hand-off, no news for the team."""

    sends: tuple[str | Sent, ...] = ()
    skipped: tuple[str, ...] = ()
    handoff: str | None = None
    notifications: tuple[str, ...] = ()
    asked: int | None = None
    providers: tuple[str, ...] | None = None
    checks: tuple[str, ...] | None = None
    contact: dict[str, Any] = {}
    languages: tuple[str, ...] | None = None
    received: int | None = None
    unanswered: tuple[str, ...] = ()
    used_today: int | None = None
    # What the audit log keeps of it.
    audited: tuple[str, ...] = ()
    # Of the first request, and of the last one where a draft was sent back.
    prompt: Prompt = Prompt()
    repair: Prompt = Prompt()


class Scenario(Strict):
    why: str = ""
    plan: str = "pro"
    used_today: int = 0
    suspended: bool = False
    engine: Literal["NOWEB", "GOWS", "WEBJS"] = "NOWEB"
    chat: Literal["person", "group", "status", "newsletter"] = "person"
    tenant: dict[str, Any] = {}
    number: dict[str, Any] = {}
    contact: dict[str, Any] | None = None
    neighbours: tuple[dict[str, Any], ...] = ()
    knowledge: tuple[Passage, ...] = ()
    # So many further long passages, which make the base too large for a prompt.
    filler: int = 0
    models: dict[Literal["openai", "anthropic"], Model] = {}
    steps: tuple[Step, ...]
    expect: Expected
    # The models stay down: the customer's message waits, open.
    stays_open: bool = False


_FILE = TypeAdapter(dict[str, Scenario])


def all_scenarios() -> list[Any]:
    """Every scenario as a pytest parameter; `pytest -k` finds it by file and name."""
    found = []
    for path in sorted(FOLDER.glob("*.yaml")):
        for name, scenario in _FILE.validate_python(yaml.safe_load(path.read_text(encoding="utf-8"))).items():
            found.append(pytest.param(scenario, id=f"{path.stem}-{name}"))
    return found
