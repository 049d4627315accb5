"""OpenAI's chat completions: how a request is put to it and how its answer is read."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any, Final

import httpx2
import msgspec
import openai

from realtime.llm import accounting, faults, provider, transport
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
    # Whatever it holds: an answer is not lost for want of its bill.
    usage: object = None


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
            text = (getattr(said, "text", "") or "").strip()
        return Heard(text=text, usage=_heard_usage(getattr(said, "usage", None)))

    async def embed(self, texts: Sequence[str], *, model: str) -> tuple[list[list[float]], Usage]:
        """The texts as numbers, in their order; raises ProviderFailed."""
        with _sdk_errors_as_ours():
            made = await self._client.embeddings.create(input=list(texts), model=model, encoding_format="float")
            # A page of HTML comes back as a plain string.
            rows = sorted(getattr(made, "data", None) or (), key=lambda row: row.index or 0)
        if len(rows) != len(texts) or not all(isinstance(row.embedding, list) for row in rows):
            raise ProviderFailed(ErrorClass.MALFORMED)
        # Not every server that speaks this language counts.
        read = provider.counted(getattr(getattr(made, "usage", None), "prompt_tokens", None))
        usage = Usage(input_tokens=read) if read is not None else accounting.estimated_of(texts)
        return [row.embedding for row in rows], usage

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
    except (openai.OpenAIError, ValueError, TypeError, AttributeError) as error:
        # The SDK checks no types: what another server left out is missing, what it wrote otherwise is something else.
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
    if choice.finish_reason == "error":
        # A go-between's word for a model that broke off.
        raise ProviderFailed(ErrorClass.MALFORMED, usage=usage)
    calls = tuple(
        ToolCall(id=call.id, name=call.function.name, arguments=call.function.arguments)
        for call in choice.message.tool_calls or ()
    )
    return provider.finished(request, text=choice.message.content or "", usage=usage, calls=calls)


def _heard_usage(said: object) -> Usage | None:
    """Some models count tokens, others seconds."""
    read = provider.counted(getattr(said, "input_tokens", None))
    written = provider.counted(getattr(said, "output_tokens", None))
    return None if read is None or written is None else Usage(input_tokens=read, output_tokens=written)


def _usage(said: object) -> Usage | None:
    read, written = provider.count(said, "prompt_tokens"), provider.count(said, "completion_tokens")
    if not isinstance(said, dict) or read is None or written is None:
        return None
    cached = provider.count(said.get("prompt_tokens_details"), "cached_tokens") or 0
    return Usage(input_tokens=read, cached_tokens=min(cached, read), output_tokens=written)
