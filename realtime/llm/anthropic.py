"""Anthropic's messages: how a request is put to Claude and how its answer is read."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

import anthropic
import httpx2
import msgspec

from realtime.llm import faults, provider, transport
from realtime.llm.contract import ANSWER_SCHEMA, Picture, ReplyRequest, Target, Turn
from realtime.llm.faults import ErrorClass, ProviderFailed, Usage
from realtime.llm.provider import Completion
from realtime.llm.toolkit import ToolCall

BASE_URL = "https://api.anthropic.com"
_FOREIGN = re.compile(r"[^A-Za-z0-9_-]")
# These came before structured output and refuse to be asked for it; the prompt's own words have to do.
_WITHOUT_SCHEMA = ("claude-2", "claude-3", "claude-instant")
_UNFINISHED: Final = frozenset({"max_tokens", "model_context_window_exceeded", "pause_turn"})
_UNSAID: Final = dict.fromkeys(transport.TOLD_OF_US, anthropic.omit)


class _Block(msgspec.Struct):
    type: str
    text: str = ""
    id: str = ""
    name: str = ""
    input: msgspec.Raw = msgspec.Raw(b"{}")


class _Body(msgspec.Struct):
    content: list[_Block]
    stop_reason: str | None = None
    # Whatever it holds: an answer is not lost for want of its bill.
    usage: object = None


_decoder = msgspec.json.Decoder(_Body)


class Anthropic:
    """Answers by messages; the SDK's retries are off and its answers are read here."""

    def __init__(self, *, api_key: str, base_url: str | None = None) -> None:
        self._client = anthropic.AsyncAnthropic(
            api_key=api_key,
            base_url=base_url or BASE_URL,
            max_retries=0,
            timeout=transport.PATIENCE,
            http_client=transport.http_client(),
        )

    async def complete(self, request: ReplyRequest, target: Target) -> Completion:
        try:
            response = await self._client.post(
                "/v1/messages",
                cast_to=httpx2.Response,
                content=msgspec.json.encode(body_of(request, target)),
                options={"headers": _headers(target)},
            )
        except anthropic.APIStatusError as error:
            answer = error.response
            raise faults.of_status(answer.status_code, answer.headers, answer.content, at=datetime.now(UTC)) from error
        except (anthropic.APIConnectionError, httpx2.HTTPError) as error:
            raise faults.of_network(error) from error
        except anthropic.AnthropicError as error:
            raise ProviderFailed(ErrorClass.MALFORMED) from error
        return _read(response.content, request)

    async def close(self) -> None:
        await self._client.close()


def body_of(request: ReplyRequest, target: Target) -> dict[str, Any]:
    body: dict[str, Any] = {
        "model": target.model,
        # The prefix is the same from turn to turn, so the vendor may keep it and charge a tenth.
        "system": [{"type": "text", "text": request.system, "cache_control": {"type": "ephemeral"}}],
        "messages": [
            {"role": turn.role, "content": _content(turn)} for turn in provider.opened_by_customer(request.messages)
        ],
        "max_tokens": request.max_tokens,
        "temperature": min(request.temperature, 1.0),
    }
    if request.tools:
        body["tools"] = [
            {"name": tool.name, "description": tool.description, "input_schema": tool.parameters}
            for tool in request.tools
        ]
    if not target.model.startswith(_WITHOUT_SCHEMA):
        body["output_config"] = {"format": {"type": "json_schema", "schema": ANSWER_SCHEMA}}
    return body


def _content(turn: Turn) -> str | list[dict[str, Any]]:
    if turn.results:
        return [
            {"type": "tool_result", "tool_use_id": _id(told.call), "content": told.content} for told in turn.results
        ]
    if turn.pictures:
        return [*map(_shown, turn.pictures), {"type": "text", "text": turn.text}]
    if not turn.calls:
        return turn.text
    # An empty text is refused beside a call.
    said = [{"type": "text", "text": turn.text}] if turn.text.strip() else []
    return said + [
        {"type": "tool_use", "id": _id(call), "name": call.name, "input": call.read()} for call in turn.calls
    ]


def _id(call: ToolCall) -> str:
    """Another vendor's id may hold what this one refuses."""
    return _FOREIGN.sub("_", call.id) or "call"


def _shown(picture: Picture) -> dict[str, Any]:
    return {"type": "image", "source": {"type": "base64", "media_type": picture.mimetype, "data": picture.base64}}


def _headers(target: Target) -> Mapping[str, str | anthropic.Omit]:
    return {**_UNSAID, "authorization": f"Bearer {target.api_key}"} if target.api_key else _UNSAID


def _read(content: bytes, request: ReplyRequest) -> Completion:
    body = provider.decoded(_decoder, content)
    usage = _usage(body.usage)
    if body.stop_reason == "refusal":
        raise ProviderFailed(ErrorClass.REFUSED, usage=usage)
    if body.stop_reason in _UNFINISHED:
        raise ProviderFailed(ErrorClass.CUT_SHORT, usage=usage)
    text = "".join(block.text for block in body.content if block.type == "text")
    calls = tuple(
        ToolCall(id=block.id, name=block.name, arguments=bytes(block.input).decode())
        for block in body.content
        if block.type == "tool_use"
    )
    return provider.finished(request, text=text, usage=usage, calls=calls)


def _usage(said: object) -> Usage | None:
    fresh, output = provider.count(said, "input_tokens"), provider.count(said, "output_tokens")
    if fresh is None or output is None:
        return None
    # The vendor counts cached tokens apart from the others; our rows count them among the input.
    read = provider.count(said, "cache_read_input_tokens") or 0
    written = provider.count(said, "cache_creation_input_tokens") or 0
    return Usage(input_tokens=fresh + read + written, cached_tokens=read, written_tokens=written, output_tokens=output)
