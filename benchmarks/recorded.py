"""Real models' answers kept on disk, so that a change of ours is judged on the same words without asking again."""

import hashlib
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from realtime.agent import prompt
from realtime.llm.contract import ReplyRequest, Target
from realtime.llm.faults import Usage
from realtime.llm.provider import Completion, Provider


class NotRecorded(LookupError):
    """Nobody asked this of that model before; it is recorded on purpose or not at all."""


class _Line(msgspec.Struct):
    key: str
    model: str
    text: str
    input_tokens: int
    output_tokens: int


def key_of(request: ReplyRequest, target: Target, *, take: int) -> str:
    """The prompt's version, the model and every message; `take` tells the repetitions of one question apart."""
    said = [(turn.role, turn.text) for turn in request.messages]
    parts = (prompt.VERSION, target.provider, target.model, request.system, said, take)
    return hashlib.sha256(msgspec.json.encode(parts)).hexdigest()


@dataclass(slots=True)
class Recorded:
    """A provider that answers from its file; with `live` it asks the model and writes down what it said."""

    file: Path
    live: Provider | None = None
    take: int = 0
    _known: dict[str, _Line] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.file.exists():
            lines = (msgspec.json.decode(line, type=_Line) for line in self.file.read_bytes().splitlines())
            self._known = {line.key: line for line in lines}

    async def complete(self, request: ReplyRequest, target: Target) -> Completion:
        key = key_of(request, target, take=self.take)
        known = self._known.get(key)
        if known is not None:
            usage = Usage(input_tokens=known.input_tokens, output_tokens=known.output_tokens)
            return Completion(text=known.text, usage=usage)
        if self.live is None:
            raise NotRecorded(f"{target.name} was never asked this under {prompt.VERSION}: record it with --live")
        answer = await self.live.complete(request, target)
        self._keep(
            _Line(
                key=key,
                model=target.name,
                text=answer.text,
                input_tokens=answer.usage.input_tokens,
                output_tokens=answer.usage.output_tokens,
            )
        )
        return answer

    async def close(self) -> None:
        if self.live is not None:
            await self.live.close()

    def _keep(self, line: _Line) -> None:
        self._known[line.key] = line
        self.file.parent.mkdir(parents=True, exist_ok=True)
        with self.file.open("ab") as file:
            file.write(msgspec.json.encode(line) + b"\n")
