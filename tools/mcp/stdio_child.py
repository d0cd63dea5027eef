"""A child process that speaks MCP over stdin and stdout, of which no more is taken in than `Intake` allows.

The SDK's own transport collects a line of any length and parses it on the event loop. This one starts and
ends children as that one does.
"""

import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from pathlib import Path
from typing import TextIO

import anyio
from anyio.abc import ByteReceiveStream, ByteSendStream, Process
from anyio.streams.buffered import BufferedByteReceiveStream
from anyio.streams.memory import MemoryObjectReceiveStream, MemoryObjectSendStream
from mcp.client.stdio import get_default_environment
from mcp.os.posix.utilities import terminate_posix_process_tree
from mcp.shared.message import SessionMessage
from mcp.types import JSONRPCMessage, JSONRPCNotification
from pydantic import ValidationError

from tools.mcp.answer_bounds import MOST_BYTES, AnswerRefused, Intake, refuse_dense, too_long
from tools.off_loop import run_off_loop

Streams = tuple[MemoryObjectReceiveStream[SessionMessage | Exception], MemoryObjectSendStream[SessionMessage]]
Listener = Callable[[bytes], Awaitable[None]]

_PARSED_AT_ONCE = 100_000  # bytes; more takes longer than a few milliseconds
_SHOWN_BYTES = 500
_ENDING_SECONDS = 2.0


async def start_child(
    command: Sequence[str], env: Mapping[str, str], cwd: Path | None, errlog: TextIO
) -> Process:
    """Start a command with the SDK's list of variables and `env`. Raises OSError if it can't be started."""
    environment = {**get_default_environment(), **env}
    return await anyio.open_process(command, env=environment, stderr=errlog, cwd=cwd, start_new_session=True)


@contextlib.asynccontextmanager
async def converse(process: Process, intake: Intake, hear: Listener) -> AsyncIterator[Streams]:
    """Yield the streams of a child's messages; the child ends with the block.

    `hear` gets the beginning of each line on stdout that is no message. A child that breaks a bound, or the
    protocol, is given up at `intake`.
    """
    assert process.stdout, "stdout is a pipe"
    assert process.stdin, "stdin is a pipe"
    incoming, received = anyio.create_memory_object_stream[SessionMessage | Exception](0)
    sent, outgoing = anyio.create_memory_object_stream[SessionMessage](0)
    async with process, incoming, received, sent, outgoing, anyio.create_task_group() as group:
        group.start_soon(_receive, process.stdout, incoming, intake, hear)
        group.start_soon(_send, process.stdin, outgoing)
        try:
            yield received, sent
        finally:
            with anyio.CancelScope(shield=True):
                await _end(process, process.stdin)
            group.cancel_scope.cancel()


async def _receive(
    stdout: ByteReceiveStream,
    messages: MemoryObjectSendStream[SessionMessage | Exception],
    intake: Intake,
    hear: Listener,
) -> None:
    buffered = BufferedByteReceiveStream(stdout)
    async with messages:
        with contextlib.suppress(anyio.ClosedResourceError, anyio.BrokenResourceError):  # nobody listens
            try:
                while line := await _read_line(buffered):
                    await _hand_over(line, messages, intake, hear)
            except AnswerRefused as refusal:
                intake.give_up(str(refusal))


async def _read_line(stdout: BufferedByteReceiveStream) -> bytes:
    """Return the next line with its end, or what is left without one; empty at the end."""
    try:
        return await stdout.receive_until(b"\n", MOST_BYTES) + b"\n"
    except anyio.DelimiterNotFound as error:
        raise too_long() from error
    except anyio.IncompleteRead:
        return await stdout.receive(MOST_BYTES) if stdout.buffer else b""


async def _hand_over(
    line: bytes,
    messages: MemoryObjectSendStream[SessionMessage | Exception],
    intake: Intake,
    hear: Listener,
) -> None:
    intake.take(line)
    message = read_message(line) if len(line) <= _PARSED_AT_ONCE else await run_off_loop(read_message, line)
    if message is None:
        await hear(line[:_SHOWN_BYTES])
    elif not isinstance(message.root, JSONRPCNotification):  # none is of use here, and the SDK logs odd ones
        await messages.send(SessionMessage(message))


def read_message(line: bytes) -> JSONRPCMessage | None:
    """Return the message on a line of stdout; None for what some servers print there besides.

    Raises AnswerRefused for one that is broken or too dense: its call would wait for nothing.
    """
    text = line.decode("utf-8", "replace").strip()
    if not text.startswith("{"):
        return None
    refuse_dense(line)
    try:
        return JSONRPCMessage.model_validate_json(text)
    except ValidationError as error:
        fault = error.errors(include_url=False, include_context=False, include_input=False)[0]
        cut_off = fault["type"] == "json_invalid" and text.startswith('{"')
        if not cut_off and '"jsonrpc"' not in text:
            return None
        raise AnswerRefused(
            f"it sent a message that can't be read ({fault['msg']}): look at its log"
        ) from error


async def _send(stdin: ByteSendStream, messages: MemoryObjectReceiveStream[SessionMessage]) -> None:
    with contextlib.suppress(anyio.ClosedResourceError):  # `_end` was quicker
        async for one in messages:
            line = one.message.model_dump_json(by_alias=True, exclude_none=True) + "\n"
            await stdin.send(line.encode())


async def _end(process: Process, stdin: ByteSendStream) -> None:
    """Close stdin and give the child time; then end it with its children."""
    with contextlib.suppress(OSError):
        await stdin.aclose()
    with anyio.move_on_after(_ENDING_SECONDS):
        await process.wait()
    if process.returncode is None:
        await terminate_posix_process_tree(process, _ENDING_SECONDS)
