"""Tool calls in the three vendors' formats: how a model asks for one, what it is told, and what each vendor refuses."""

import re
from typing import Any

import msgspec

SIGNATURE = "c2lnbmF0dXJl"
_SKIPS = "skip_thought_signature_validator"
_ID = re.compile(r"^[A-Za-z0-9_-]+$")


def text_of(turn: dict[str, Any]) -> str:
    """The words of an OpenAI or Anthropic message, tool calls and results among them."""
    content = turn.get("content")
    if isinstance(content, list):
        return "".join(block.get("text") or _block_text(block) for block in content)
    calls = turn.get("tool_calls") or []
    return (content or "") + "".join(call["function"]["arguments"] for call in calls)


def part_text(part: dict[str, Any]) -> str:
    if "functionResponse" in part:
        return str(part["functionResponse"]["response"]["result"])
    return _json(part["functionCall"]["args"]) if "functionCall" in part else ""


def results(provider: str, body: dict[str, Any]) -> list[str]:
    """What tools said, in order."""
    if provider == "gemini":
        parts = [part for turn in body["contents"] for part in turn["parts"]]
        return [part["functionResponse"]["response"]["result"] for part in parts if "functionResponse" in part]
    if provider == "openai":
        return [turn["content"] for turn in body["messages"] if turn["role"] == "tool"]
    blocks = [block for turn in body["messages"] if isinstance(turn["content"], list) for block in turn["content"]]
    return [block["content"] for block in blocks if block["type"] == "tool_result"]


def ask(provider: str, body: dict[str, Any], calls: tuple[tuple[str, dict[str, Any]], ...]) -> None:
    """Turn a written answer into one that asks for tools."""
    if provider == "openai":
        asked = [
            {"id": f"call_{n}.x", "type": "function", "function": {"name": name, "arguments": _json(arguments)}}
            for n, (name, arguments) in enumerate(calls)
        ]
        body["choices"][0] |= {
            "message": {"role": "assistant", "content": None, "refusal": None, "tool_calls": asked},
            "finish_reason": "tool_calls",
        }
    elif provider == "anthropic":
        body["stop_reason"] = "tool_use"
        body["content"] = [
            {"type": "tool_use", "id": f"toolu_{n}", "name": name, "input": arguments}
            for n, (name, arguments) in enumerate(calls)
        ]
    else:
        body["candidates"][0]["content"]["parts"] = [
            {"functionCall": {"name": name, "args": arguments}, "thoughtSignature": SIGNATURE}
            for name, arguments in calls
        ]


def breach(provider: str, model: str, body: dict[str, Any]) -> str | None:
    """What that vendor answers 400 to, or None."""
    return {"openai": _openai, "anthropic": _anthropic, "gemini": _gemini}[provider](model, body)


def _openai(_: str, body: dict[str, Any]) -> str | None:
    asked: set[str] = set()
    for turn in body["messages"]:
        if turn["role"] == "tool" and turn["tool_call_id"] not in asked:
            return "tool_without_call"
        asked |= {call["id"] for call in turn.get("tool_calls") or []}
    for tool in body.get("tools", []):
        schema = tool["function"]["parameters"]
        if schema.get("additionalProperties") is not False or set(schema["required"]) != set(schema["properties"]):
            return "invalid_function_parameters"
    return None


def _anthropic(_: str, body: dict[str, Any]) -> str | None:
    asked: set[str] = set()
    for turn in body["messages"]:
        blocks = turn["content"] if isinstance(turn["content"], list) else []
        told = {block["tool_use_id"] for block in blocks if block["type"] == "tool_result"}
        if told != asked:
            return "tool_use_without_result"
        asked = {block["id"] for block in blocks if block["type"] == "tool_use"}
        if any(not _ID.match(each) for each in asked):
            return "invalid_tool_use_id"
    return None


def _gemini(model: str, body: dict[str, Any]) -> str | None:
    is_old = model.startswith(("gemini-1", "gemini-2"))
    if is_old and body.get("tools") and "responseMimeType" in body["generationConfig"]:
        return "function_calling_with_response_mime_type"
    parts = [part for turn in body["contents"] for part in turn["parts"] if "functionCall" in part]
    signed = all(part.get("thoughtSignature") in {SIGNATURE, _SKIPS} for part in parts)
    return None if is_old or signed else "missing_thought_signature"


def _block_text(block: dict[str, Any]) -> str:
    """A picture has none."""
    if block["type"] == "tool_result":
        return str(block["content"])
    return _json(block["input"]) if block["type"] == "tool_use" else ""


def _json(value: dict[str, Any]) -> str:
    return msgspec.json.encode(value).decode()
