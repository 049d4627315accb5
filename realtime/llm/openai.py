"""OpenAI's chat completions: how a request is put to it and how its answer is read."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any, Final

import httpx2
import msgspec
import openai

from realtime.llm import faults, provider, transport
from realtime.llm.contract import ANSWER_SCHEMA, ReplyRequest, Target, Turn
from realtime.llm.faults import ErrorClass, ProviderFailed, Usage
from realtime.llm.provider import Completion, Heard
from realtime.llm.toolkit import Tool, ToolCall

BASE_URL = "https://api.openai.com/v1"
VOICE_MODEL = "gpt-4o-mini-transcribe"
# Models that think refuse any temperature but their own.
_FIXED_TEMPERATURE = ("o1", "o3", "o4", "gpt-5", "gpt-6")
_FORMAT = {
    "type": "json_schema",
    "json_schema": {"name": "answer", "strict": True, "schema": ANSWER_SCHEMA},
}
_UNSAID: Final = dict.fromkeys(transport.TOLD_OF_US, openai.omit)


class _Cached(msgspec.Struct):
    cached_tokens: int | None = None


class _Usage(msgspec.Struct):
    prompt_tokens: int
    completion_tokens: int
    prompt_tokens_details: _Cached | None = None


class _Function(msgspec.Struct):
    name: str
    arguments: str = ""


class _Call(msgspec.Struct):
    id: str
    function: _Function


class _Message(msgspec.Struct):
    content: str | None = None
    refusal: str | None = None
    tool_calls: list[_Call] | None = None


class _Choice(msgspec.Struct):
    message: _Message
    finish_reason: str | None = None


class _Body(msgspec.Struct):
    choices: list[_Choice]
    usage: _Usage | None = None


_decoder = msgspec.json.Decoder(_Body)


class OpenAI:
    """Answers by chat completions; the SDK's retries are off and its answers are read here."""

    voice_model = VOICE_MODEL

    def __init__(self, *, api_key: str, base_url: str | None = None) -> None:
        self._client = openai.AsyncOpenAI(
            api_key=api_key,
            base_url=base_url or BASE_URL,
            max_retries=0,
            timeout=transport.PATIENCE,
            http_client=transport.http_client(),
        )

    async def complete(self, request: ReplyRequest, target: Target) -> Completion:
        try:
            response = await self._client.post(
                # Whole, since the SDK reads and joins a relative one in a seventh of the whole call's time.
                str(self._client.base_url).rstrip("/") + "/chat/completions",
                cast_to=httpx2.Response,
                content=msgspec.json.encode(body_of(request, target)),
                options={"headers": _headers(target)},
            )
        except openai.APIStatusError as error:
            answer = error.response
            raise faults.of_status(answer.status_code, answer.headers, answer.content, at=datetime.now(UTC)) from error
        except (openai.APIConnectionError, httpx2.HTTPError) as error:
            raise faults.of_network(error) from error
        except openai.OpenAIError as error:
            raise ProviderFailed(ErrorClass.MALFORMED) from error
        return _read(response.content, request)

    async def hear(self, data: bytes, *, filename: str) -> Heard:
        """What a voice note says; raises ProviderFailed."""
        with _sdk_errors_as_ours():
            said = await self._client.audio.transcriptions.create(file=(filename, data), model=VOICE_MODEL)
        # A page of HTML comes back as a plain string.
        return Heard(text=getattr(said, "text", "") or "", usage=_heard_usage(getattr(said, "usage", None)))

    async def embed(self, texts: Sequence[str], *, model: str) -> tuple[list[list[float]], Usage]:
        """The texts as numbers, in their order; raises ProviderFailed."""
        with _sdk_errors_as_ours():
            made = await self._client.embeddings.create(input=list(texts), model=model, encoding_format="float")
        # A page of HTML comes back as a plain string.
        rows = sorted(getattr(made, "data", None) or (), key=lambda row: row.index)
        if len(rows) != len(texts):
            raise ProviderFailed(ErrorClass.MALFORMED)
        return [row.embedding for row in rows], Usage(input_tokens=made.usage.prompt_tokens)

    async def close(self) -> None:
        await self._client.close()


def body_of(request: ReplyRequest, target: Target) -> dict[str, Any]:
    body: dict[str, Any] = {
        "model": target.model,
        "messages": [
            {"role": "system", "content": request.system},
            *(message for turn in request.messages for message in _messages(turn)),
        ],
        "max_completion_tokens": request.max_tokens,
        "response_format": _FORMAT,
    }
    if request.tools:
        body["tools"] = [_tool(tool) for tool in request.tools]
    if not target.model.startswith(_FIXED_TEMPERATURE):
        body["temperature"] = request.temperature
    return body


def _tool(tool: Tool) -> dict[str, Any]:
    described = {"name": tool.name, "description": tool.description, "parameters": tool.parameters, "strict": True}
    return {"type": "function", "function": described}


def _messages(turn: Turn) -> list[dict[str, Any]]:
    if turn.results:
        return [{"role": "tool", "tool_call_id": told.call.id, "content": told.content} for told in turn.results]
    message: dict[str, Any] = {"role": turn.role, "content": _content(turn)}
    if turn.calls:
        message["tool_calls"] = [
            {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": call.arguments}}
            for call in turn.calls
        ]
    return [message]


def _content(turn: Turn) -> str | list[dict[str, Any]]:
    if not turn.pictures:
        return turn.text
    shown = [
        {"type": "image_url", "image_url": {"url": f"data:{picture.mimetype};base64,{picture.base64}"}}
        for picture in turn.pictures
    ]
    return [{"type": "text", "text": turn.text}, *shown]


@contextmanager
def _sdk_errors_as_ours() -> Iterator[None]:
    """Around a typed call, which reads the answer too and fails on one that it cannot. Raises ProviderFailed."""
    try:
        yield
    except openai.APIStatusError as error:
        answer = error.response
        raise faults.of_status(answer.status_code, answer.headers, answer.content, at=datetime.now(UTC)) from error
    except (openai.APIConnectionError, httpx2.HTTPError) as error:
        raise faults.of_network(error) from error
    except (openai.OpenAIError, ValueError) as error:
        raise ProviderFailed(ErrorClass.MALFORMED) from error


def _headers(target: Target) -> Mapping[str, str | openai.Omit]:
    return {**_UNSAID, "authorization": f"Bearer {target.api_key}"} if target.api_key else _UNSAID


def _read(content: bytes, request: ReplyRequest) -> Completion:
    body = provider.decoded(_decoder, content)
    usage = _usage(body.usage)
    if not body.choices:
        raise ProviderFailed(ErrorClass.EMPTY, usage=usage)
    choice = body.choices[0]
    if choice.message.refusal or choice.finish_reason == "content_filter":
        raise ProviderFailed(ErrorClass.REFUSED, usage=usage)
    if choice.finish_reason == "length":
        raise ProviderFailed(ErrorClass.CUT_SHORT, usage=usage)
    calls = tuple(
        ToolCall(id=call.id, name=call.function.name, arguments=call.function.arguments)
        for call in choice.message.tool_calls or ()
    )
    return provider.finished(request, text=choice.message.content or "", usage=usage, calls=calls)


def _heard_usage(said: object) -> Usage | None:
    """Some models count tokens, others seconds."""
    tokens = getattr(said, "input_tokens", None), getattr(said, "output_tokens", None)
    if not isinstance(tokens[0], int) or not isinstance(tokens[1], int):
        return None
    return Usage(input_tokens=tokens[0], output_tokens=tokens[1])


def _usage(said: _Usage | None) -> Usage | None:
    if said is None:
        return None
    cached = said.prompt_tokens_details.cached_tokens if said.prompt_tokens_details else 0
    return Usage(input_tokens=said.prompt_tokens, cached_tokens=cached or 0, output_tokens=said.completion_tokens)
