"""Google's Gemini: how a request is put to it and how its answer is read."""

from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import google.genai
import httpx2
import msgspec
from google.genai import errors, types

from realtime.llm import faults, provider, transport
from realtime.llm.contract import ANSWER_SCHEMA, Picture, ReplyRequest, Target, Turn
from realtime.llm.faults import ErrorClass, ProviderFailed, Usage
from realtime.llm.provider import Completion
from realtime.llm.toolkit import ToolCall

BASE_URL = "https://generativelanguage.googleapis.com"
# These take tools or a schema for the answer, not both; with tools the prompt's own words have to do.
_EITHER_OR = ("gemini-1", "gemini-2")
_UNSIGNED = "skip_thought_signature_validator"
_WHOLE = frozenset({None, "STOP", "FINISH_REASON_UNSPECIFIED"})
# What the model wrote is no answer and no usable call; nobody refused anything.
_BROKEN = frozenset(
    {
        "MALFORMED_FUNCTION_CALL",
        "MALFORMED_RESPONSE",
        "UNEXPECTED_TOOL_CALL",
        "TOO_MANY_TOOL_CALLS",
        "MISSING_THOUGHT_SIGNATURE",
    }
)


class _FunctionCall(msgspec.Struct):
    name: str
    args: msgspec.Raw = msgspec.Raw(b"{}")
    id: str | None = None


class _Part(msgspec.Struct, rename="camel"):
    text: str = ""
    thought: bool = False
    function_call: _FunctionCall | None = None
    thought_signature: str | None = None


class _Content(msgspec.Struct):
    parts: list[_Part] = msgspec.field(default_factory=list)


class _Candidate(msgspec.Struct, rename="camel"):
    content: _Content | None = None
    finish_reason: str | None = None


class _Feedback(msgspec.Struct, rename="camel"):
    block_reason: str | None = None


class _Body(msgspec.Struct, rename="camel"):
    candidates: list[_Candidate] = msgspec.field(default_factory=list)
    prompt_feedback: _Feedback | None = None
    # Whatever it holds: an answer is not lost for want of its bill.
    usage_metadata: object = None


_decoder = msgspec.json.Decoder(_Body)


class Gemini:
    """Answers by generateContent; the SDK's retries are off and its answers are read here."""

    def __init__(self, *, api_key: str, base_url: str | None = None) -> None:
        self._http = transport.http_client()
        # The client is kept: made in the middle of an expression it closes itself under the call.
        self._client = google.genai.Client(
            api_key=api_key,
            vertexai=False,
            http_options=types.HttpOptions(
                base_url=base_url or BASE_URL,
                httpx_async_client=self._http,
                # Said outright, because left out the SDK sleeps 1 to 10 s after some resets and calls again.
                retry_options=types.HttpRetryOptions(attempts=1),
            ),
        )
        # The SDK's typed call spends 5 ms of CPU on a conversation, this request beneath it a tenth of that. A test
        # holds what we send against what the typed call would.
        self._post = self._client._api_client.async_request  # noqa: SLF001

    async def complete(self, request: ReplyRequest, target: Target) -> Completion:
        try:
            answer = await self._post(
                "post", f"models/{target.model}:generateContent", body_of(request, target), _options(target)
            )
        except errors.APIError as error:
            raise _of_status(error) from error
        except httpx2.HTTPError as error:
            raise faults.of_network(error) from error
        return _read((answer.body or "").encode(), request)

    async def close(self) -> None:
        await self._client.aio.aclose()
        await self._http.aclose()


def body_of(request: ReplyRequest, target: Target) -> dict[str, object]:
    config: dict[str, object] = {"temperature": request.temperature, "maxOutputTokens": request.max_tokens}
    body: dict[str, object] = {
        "contents": [
            {"parts": _parts(turn, target), "role": "user" if turn.role == "user" else "model"}
            for turn in provider.opened_by_customer(request.messages)
        ],
        "systemInstruction": {"parts": [{"text": request.system}], "role": "user"},
        "generationConfig": config,
    }
    if request.tools:
        declared = [
            {"name": tool.name, "description": tool.description, "parametersJsonSchema": tool.parameters}
            for tool in request.tools
        ]
        body["tools"] = [{"functionDeclarations": declared}]
    if not request.tools or not target.model.startswith(_EITHER_OR):
        config |= {"responseMimeType": "application/json", "responseJsonSchema": ANSWER_SCHEMA}
    return body


def _parts(turn: Turn, target: Target) -> list[dict[str, object]]:
    if turn.results:
        return [
            {"functionResponse": {"name": told.call.name, "response": {"result": told.content}}}
            for told in turn.results
        ]
    if not turn.calls:
        return [*map(_shown, turn.pictures), {"text": turn.text}]
    said: list[dict[str, object]] = [{"text": turn.text}] if turn.text.strip() else []
    return said + [_call(call, target) for call in turn.calls]


def _shown(picture: Picture) -> dict[str, object]:
    return {"inlineData": {"mimeType": picture.mimetype, "data": picture.base64}}


def _call(call: ToolCall, target: Target) -> dict[str, object]:
    part: dict[str, object] = {"functionCall": {"name": call.name, "args": call.read()}}
    if call.signature:
        part["thoughtSignature"] = call.signature
    elif not target.model.startswith(_EITHER_OR):
        # Another vendor's model made this call; this one asks for its own mark on it unless told not to.
        part["thoughtSignature"] = _UNSIGNED
    return part


def _options(target: Target) -> types.HttpOptions | None:
    return types.HttpOptions(headers={"x-goog-api-key": target.api_key}) if target.api_key else None


def _of_status(error: errors.APIError) -> ProviderFailed:
    # The SDK dresses an HTML page up as its own JSON, so the response itself is asked.
    answer: Any = error.response
    return faults.of_status(error.code, answer.headers, answer.content, at=datetime.now(UTC))


def _read(content: bytes, request: ReplyRequest) -> Completion:
    body = provider.decoded(_decoder, content)
    usage = _usage(body.usage_metadata)
    if body.prompt_feedback and body.prompt_feedback.block_reason:
        raise ProviderFailed(ErrorClass.REFUSED, usage=usage)
    if not body.candidates:
        raise ProviderFailed(ErrorClass.EMPTY, usage=usage)
    candidate = body.candidates[0]
    if candidate.finish_reason not in _WHOLE:
        raise ProviderFailed(_why(candidate.finish_reason), usage=usage)
    parts = candidate.content.parts if candidate.content else []
    calls = tuple(
        ToolCall(
            # Its own where it gives one; else one that no other round has, or another vendor refuses the conversation.
            id=part.function_call.id or f"call_{uuid4().hex}",
            name=part.function_call.name,
            arguments=bytes(part.function_call.args).decode(),
            signature=part.thought_signature,
        )
        for part in parts
        if part.function_call
    )
    text = "".join(part.text for part in parts if not part.thought)
    return provider.finished(request, text=text, usage=usage, calls=calls)


def _why(finish_reason: str | None) -> ErrorClass:
    """The vendor has many words for a refusal and adds to them."""
    if finish_reason == "MAX_TOKENS":
        return ErrorClass.CUT_SHORT
    return ErrorClass.MALFORMED if finish_reason in _BROKEN else ErrorClass.REFUSED


def _usage(said: object) -> Usage | None:
    read = provider.count(said, "promptTokenCount")
    if read is None:
        return None
    # The vendor leaves out what is nothing.
    cached = provider.count(said, "cachedContentTokenCount") or 0
    written = (provider.count(said, name) or 0 for name in ("candidatesTokenCount", "thoughtsTokenCount"))
    return Usage(input_tokens=read, cached_tokens=min(cached, read), output_tokens=sum(written))
