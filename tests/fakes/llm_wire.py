"""The three model APIs' wire formats as our fake speaks them: reading a request, writing an answer or an error."""

import time
from dataclasses import dataclass, field
from typing import Any

import msgspec

from tests.fakes import llm_tools

PROVIDERS = ("openai", "anthropic", "gemini")


@dataclass(frozen=True, slots=True)
class ToolUse:
    """What a script returns to have tools run: their names and arguments."""

    calls: tuple[tuple[str, dict[str, Any]], ...]

    @property
    def written(self) -> str:
        return "".join(name + msgspec.json.encode(arguments).decode() for name, arguments in self.calls)


Said = str | ToolUse


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One request as it arrived, and what answering it cost; tokens are 0 where no work was done."""

    provider: str
    path: str
    model: str
    system: str
    messages: tuple[tuple[str, str], ...]
    body: dict[str, Any]
    headers: dict[str, str]
    fault: str | None
    at: float = field(default_factory=time.time)
    input_tokens: int = 0
    output_tokens: int = 0

    @property
    def tools(self) -> tuple[str, ...]:
        """The names of the tools on offer."""
        found = self.body.get("tools", [])
        if self.provider == "gemini":
            found = [each for group in found for each in group["functionDeclarations"]]
        return tuple(each["function"]["name"] if self.provider == "openai" else each["name"] for each in found)

    @property
    def told(self) -> list[dict[str, Any]]:
        """What the tools said so far, the latest last."""
        return [msgspec.json.decode(content) for content in llm_tools.results(self.provider, self.body)]

    @property
    def question(self) -> str:
        return self.messages[-1][1] if self.messages else ""


def provider_of(path: str) -> str | None:
    if path.endswith("/chat/completions"):
        return "openai"
    if path.endswith("/v1/messages"):
        return "anthropic"
    return "gemini" if path.endswith(":generateContent") else None


def read(provider: str, path: str, body: dict[str, Any], headers: dict[str, str], fault: str | None) -> Call:
    if provider == "gemini":
        model = path.rpartition("/")[2].removesuffix(":generateContent")
        system = _parts(body.get("systemInstruction", {}))
        messages = tuple((turn["role"], _parts(turn)) for turn in body["contents"])
    else:
        model = body["model"]
        turns = [(turn["role"], llm_tools.text_of(turn)) for turn in body["messages"]]
        system = "".join(text for role, text in turns if role == "system")
        if provider == "anthropic":
            system = "".join(block["text"] for block in body.get("system", []))
        messages = tuple(turn for turn in turns if turn[0] != "system")
    return Call(
        provider=provider,
        path=path,
        model=model,
        system=system,
        messages=messages,
        body=body,
        headers=headers,
        fault=fault,
    )


def tokens(text: str) -> int:
    """Four bytes a token, rounded up: what the fake charges."""
    return -(-len(text.encode()) // 4)


def input_tokens(call: Call) -> int:
    """Each message and the system prompt cost four tokens more than their text."""
    return tokens(call.system) + 4 + sum(tokens(text) + 4 for _, text in call.messages)


def success(call: Call, said: Said, *, finish: str = "stop", with_usage: bool = True, refusal: bool = False) -> bytes:
    text = said if isinstance(said, str) else said.written
    body = {"openai": _openai, "anthropic": _anthropic, "gemini": _gemini}[call.provider](call, text, finish, refusal)
    if isinstance(said, ToolUse):
        llm_tools.ask(call.provider, body, said.calls)
    if not with_usage:
        body.pop("usage", None)
        body.pop("usageMetadata", None)
    return msgspec.json.encode(body)


def embeddings(vectors: list[list[float]], texts: list[str], *, with_usage: bool = True) -> bytes:
    """In the wrong order, since the vendor's order is its index."""
    data = [{"object": "embedding", "index": number, "embedding": vector} for number, vector in enumerate(vectors)]
    used = sum(map(tokens, texts))
    usage = {"prompt_tokens": used, "total_tokens": used}
    body = {"object": "list", "data": data[::-1], "model": "fake"} | ({"usage": usage} if with_usage else {})
    return msgspec.json.encode(body)


def no_choice(call: Call) -> bytes:
    """A well-formed answer that holds nothing."""
    empty: dict[str, dict[str, list[str]]] = {
        "openai": {"choices": []},
        "anthropic": {"content": []},
        "gemini": {"candidates": []},
    }
    return msgspec.json.encode(empty[call.provider])


def error(provider: str, status: int, code: str) -> bytes:
    message = f"fake {code}"
    if provider == "anthropic":
        kind = {401: "authentication_error", 404: "not_found_error", 429: "rate_limit_error"}.get(status, code)
        return msgspec.json.encode(
            {"type": "error", "error": {"type": kind, "message": message}, "request_id": "req_1"}
        )
    if provider == "gemini":
        return msgspec.json.encode({"error": {"code": status, "message": message, "status": code.upper()}})
    return msgspec.json.encode({"error": {"message": message, "type": code, "param": None, "code": code}})


def _openai(call: Call, text: str, finish: str, refusal: bool) -> dict[str, Any]:
    content = {"content": None, "refusal": text} if refusal else {"content": text, "refusal": None}
    return {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1700000000,
        "model": call.model,
        "choices": [{"index": 0, "message": {"role": "assistant"} | content, "finish_reason": finish}],
        "usage": {
            "prompt_tokens": input_tokens(call),
            "completion_tokens": tokens(text),
            "total_tokens": input_tokens(call) + tokens(text),
            "prompt_tokens_details": {"cached_tokens": 0},
        },
    }


def _anthropic(call: Call, text: str, finish: str, refusal: bool) -> dict[str, Any]:
    reason = "refusal" if refusal else {"stop": "end_turn", "length": "max_tokens"}[finish]
    return {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": call.model,
        "content": [{"type": "text", "text": text}],
        "stop_reason": reason,
        "stop_sequence": None,
        "usage": {"input_tokens": input_tokens(call), "output_tokens": tokens(text)},
    }


def _gemini(call: Call, text: str, finish: str, refusal: bool) -> dict[str, Any]:
    reason = "SAFETY" if refusal else {"stop": "STOP", "length": "MAX_TOKENS"}[finish]
    return {
        "candidates": [{"content": {"parts": [{"text": text}], "role": "model"}, "finishReason": reason, "index": 0}],
        "usageMetadata": {
            "promptTokenCount": input_tokens(call),
            "candidatesTokenCount": tokens(text),
            "totalTokenCount": input_tokens(call) + tokens(text),
        },
        "modelVersion": call.model,
        "responseId": "r1",
    }


def _parts(content: dict[str, Any]) -> str:
    return "".join(part.get("text", "") or llm_tools.part_text(part) for part in content.get("parts", []))
