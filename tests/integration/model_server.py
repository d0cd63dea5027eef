"""A language model that answers what a test has scripted, over real HTTP as OpenAI's API speaks it.

`ScriptedModel([says("Hm."), calls("kubectl_get", name="web"), forever(status(429))])` is a context manager.
"""

import asyncio
import json
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from types import TracebackType
from typing import Any, Self

Document = dict[str, Any]


@dataclass(frozen=True)
class ModelRequest:
    """One question as it arrived."""

    path: str
    headers: dict[str, str]
    body: Document


@dataclass(frozen=True)
class Answer:
    """One answer. `wait_seconds` None never answers; `cut` sends so much of the body and hangs up."""

    body: bytes = b""
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    message: Document | None = None
    finish_reason: str = "stop"
    wait_seconds: float | None = 0
    cut: int | None = None
    repeats: bool = False


Scripted = Answer | Callable[[ModelRequest], Answer]


def says(text: str, *, finish_reason: str = "stop") -> Answer:
    """Answer in words."""
    return _speaking({"role": "assistant", "content": text}, finish_reason)


def calls(function: str, /, **arguments: Any) -> Answer:
    """Answer by calling one function."""
    return raw_calls((function, json.dumps(arguments, ensure_ascii=False)))


def raw_calls(*pairs: tuple[str, Any]) -> Answer:
    """Answer by calling functions whose arguments stand there as they are, valid or not."""
    functions = [
        {"id": f"call-{number}", "type": "function", "function": {"name": name, "arguments": arguments}}
        for number, (name, arguments) in enumerate(pairs)
    ]
    return _speaking({"role": "assistant", "content": None, "tool_calls": functions}, "tool_calls")


def refuses(why: str) -> Answer:
    """Answer with the model's own refusal."""
    return _speaking({"role": "assistant", "content": None, "refusal": why}, "stop")


def status(code: int, message: str = "no", *, retry_after: float | None = None) -> Answer:
    """Answer with an HTTP error as OpenAI words it."""
    headers = {} if retry_after is None else {"retry-after": str(retry_after)}
    error = {"message": message, "type": "invalid_request_error", "param": None, "code": None}
    return Answer(json.dumps({"error": error}).encode(), code, headers)


def raw(body: bytes, code: int = 200, content_type: str = "application/json") -> Answer:
    """Answer with these bytes."""
    return Answer(body, code, {"content-type": content_type})


def half(answer: Answer | None = None) -> Answer:
    """Hang up in the middle of an answer."""
    whole = answer or says("this never arrives as a whole")
    return replace(whole, cut=len(whole.body) // 2)


def silence() -> Answer:
    """Accept the question and never answer."""
    return Answer(wait_seconds=None)


def late(answer: Answer, seconds: float) -> Answer:
    """Answer after a while."""
    return replace(answer, wait_seconds=seconds)


def forever(answer: Answer) -> Answer:
    """Answer like this to every further question."""
    return replace(answer, repeats=True)


def _speaking(message: Document, finish_reason: str) -> Answer:
    body = json.dumps(_completion(message, finish_reason), ensure_ascii=False).encode()
    return Answer(body, message=message, finish_reason=finish_reason)


def _completion(message: Document, finish_reason: str) -> Document:
    return {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1,
        "model": "scripted",
        "choices": [{"index": 0, "message": message, "finish_reason": finish_reason}],
        "usage": {"prompt_tokens": 100, "completion_tokens": 20, "total_tokens": 120},
    }


def _streamed(answer: Answer) -> Answer:
    completion = _completion({}, answer.finish_reason) | {"object": "chat.completion.chunk"}
    choice = {"index": 0, "delta": answer.message, "finish_reason": answer.finish_reason}
    chunk = json.dumps({**completion, "choices": [choice]})
    body = f"data: {chunk}\n\ndata: [DONE]\n\n".encode()
    return replace(answer, body=body, headers={"content-type": "text/event-stream"})


class ScriptedModel:
    """The server. Each question takes the script's next answer; after its end they fail with 500.

    `requests` holds every question that has arrived, the retried ones too; `exhausted` tells that one
    came too many.
    """

    def __init__(self, script: Sequence[Scripted]) -> None:
        self._script = list(script)
        self._server: asyncio.Server | None = None
        self._open: set[asyncio.Task[None]] = set()
        self.requests: list[ModelRequest] = []
        self.exhausted = False

    def play(self, script: Sequence[Scripted]) -> None:
        """Go on with another script, and forget what was asked."""
        self._script = list(script)
        self.requests = []
        self.exhausted = False

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._server is not None
        self._server.close()
        tasks = tuple(self._open)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    @property
    def base_url(self) -> str:
        """The URL for OPENAI_BASE_URL."""
        assert self._server is not None
        return f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}/v1"

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        # Tasks of our own: asyncio's streams report a cancelled one of theirs as an error.
        task = asyncio.create_task(self._serve(reader, writer))
        self._open.add(task)
        task.add_done_callback(self._open.discard)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while request := await _read(reader):
                if not await self._write(writer, self._answer(request)):
                    return
        except ConnectionError:
            pass  # the client has had enough
        finally:
            writer.close()
            with suppress(ConnectionError):
                await writer.wait_closed()

    def _answer(self, request: ModelRequest) -> Answer:
        if request.path.endswith("/models"):
            return raw(json.dumps({"object": "list", "data": [{"id": "scripted"}]}).encode())
        self.requests.append(request)
        if not self._script:
            self.exhausted = True
            return status(500, "the script is at its end")
        scripted = self._script[0]
        answer = scripted if isinstance(scripted, Answer) else scripted(request)
        if not answer.repeats:
            self._script.pop(0)
        return _streamed(answer) if request.body.get("stream") and answer.message else answer

    async def _write(self, writer: asyncio.StreamWriter, answer: Answer) -> bool:
        """Write an answer; False when the connection is to be closed after it."""
        if answer.wait_seconds is None:
            await asyncio.Event().wait()
        await asyncio.sleep(answer.wait_seconds or 0)
        headers = {"content-type": "application/json", **answer.headers, "content-length": len(answer.body)}
        head = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        writer.write(f"HTTP/1.1 {answer.status} Scripted\r\n{head}\r\n".encode() + answer.body[: answer.cut])
        await writer.drain()
        return answer.cut is None


async def _read(reader: asyncio.StreamReader) -> ModelRequest | None:
    try:
        head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
    except asyncio.IncompleteReadError:
        return None
    pairs = (line.split(": ", 1) for line in head[1:] if line)
    headers = {name.lower(): value for name, value in pairs}
    body = await reader.readexactly(int(headers.get("content-length", 0)))
    return ModelRequest(head[0].split()[1], headers, json.loads(body) if body else {})
