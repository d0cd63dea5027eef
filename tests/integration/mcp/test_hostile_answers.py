"""Servers that send too much, too fast, too dense or broken: the call hears why, the next one is answered."""

import asyncio
import json
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any, Literal

import pytest

from tests.integration.mcp.odd_http_server import odd_over_http
from tools.errors import ToolServerError, ToolServerLost
from tools.mcp.answer_bounds import MOST_BYTES
from tools.mcp.session import StdioServer, ToolSession
from tools.mcp.toolbox import OWN_SERVER, Source, Toolbox
from tools.mcp.transports import RemoteServer

ODD_SERVER = Path(__file__).parent / "odd_server.py"
ANSWER = '{"jsonrpc":"2.0","id":%d,"result":{"content":['
NOTIFICATION = '{"jsonrpc":"2.0","method":"notifications/message","params":{"level":"info","data":"x"}}\n'
LATE = '{"jsonrpc":"2.0","id":"nobody asked","result":{}}\n'


def odd(*options: str) -> StdioServer:
    return StdioServer(sys.executable, (str(ODD_SERVER), *options))


@pytest.fixture
async def box() -> AsyncIterator[Toolbox]:
    own = ToolSession(OWN_SERVER, odd())
    async with Toolbox(own, {"odd": Source(ToolSession("odd", odd(), call_timeout_seconds=30.0))}) as opened:
        yield opened


async def loses(box: Toolbox, tool: str, arguments: dict[str, Any]) -> str:
    """Make a call that must fail and cost its server's process, and the next one find another; return why."""
    before = await box.call("odd", "pid", {})
    lost = await box.call("odd", tool, arguments)
    back = await box.call("odd", "echo", {"text": "back"})
    after = await box.call("odd", "pid", {})

    assert lost.is_error
    assert "MCP server 'odd'" in lost.text
    assert len(lost.text) < 1_000
    assert (back.text, back.is_error) == ("back", False)
    assert before.text != after.text
    return lost.text


async def test_a_line_without_an_end_is_given_up_after_so_many_bytes(box: Toolbox, tmp_path: Path) -> None:
    count = tmp_path / "count"

    why = await loses(box, "repeat", {"begin": '{"jsonrpc":"', "unit": "x", "count": str(count)})

    assert f"it sent a message of more than {MOST_BYTES} bytes: ask for less" in why
    assert MOST_BYTES < int(count.read_text()) < MOST_BYTES + 1_000_000


@pytest.mark.parametrize("unit", [NOTIFICATION, LATE, "Listening on port 80\n", "\n", "\0\n", "{}\n"])
async def test_a_flood_of_lines_is_given_up(box: Toolbox, tmp_path: Path, unit: str) -> None:
    count = tmp_path / "count"

    why = await loses(box, "repeat", {"unit": unit, "count": str(count)})

    assert f"it sent more than {MOST_BYTES} bytes for one call" in why
    assert int(count.read_text()) < MOST_BYTES


async def test_a_flood_on_stderr_is_given_up(box: Toolbox) -> None:
    why = await loses(box, "repeat", {"unit": "what a day\n", "descriptor": 2})

    assert f"it sent more than {MOST_BYTES} bytes for one call" in why


@pytest.mark.parametrize(
    ("said", "why"),
    [
        ({"begin": ANSWER % 99, "unit": '{"a":', "times": 40_000}, "recursion limit exceeded"),
        ({"begin": ANSWER % 99, "unit": '{"a":', "times": 100_000}, "more than 50000 values: ask for less"),
        ({"begin": ANSWER % 99, "unit": "[", "times": 100_000}, "more than 50000 values: ask for less"),
        ({"begin": ANSWER % 99, "unit": "1,", "times": 4_000_000, "end": "1]}}\n"}, "more than 50000 values"),
        (
            {"begin": ANSWER % 99, "unit": '"",', "times": 3_000_000, "end": "1]}}\n"},
            "more than 50000 values",
        ),
        (
            {"begin": ANSWER % 99, "unit": r'"\\",', "times": 90_000, "end": "1]}}\n"},
            "more than 50000 values",
        ),
        ({"begin": ANSWER % 99}, "can't be read (Invalid JSON: EOF while parsing"),
        (
            {"begin": '{"result":{},"jsonrpc":"2.', "end": "", "leave": True},
            "Invalid JSON: EOF while parsing",
        ),
        ({"begin": '{"jsonrpc":"2.0","id":1,"result":7}'}, "it sent a message that can't be read"),
    ],
)
async def test_an_answer_that_is_broken_too_deep_or_too_dense_is_given_up_at_once(
    box: Toolbox, said: dict[str, Any], why: str
) -> None:
    assert why in await loses(box, "say", said)


async def test_a_server_that_leaves_during_its_greeting_of_endless_length_is_left_out() -> None:
    flood = ToolSession("flood", odd("--flood"), pauses_seconds=(0.0,))
    async with Toolbox(ToolSession(OWN_SERVER, odd()), {"flood": Source(flood)}) as box:
        offers = await box.offers()
        answer = await box.call("flood", "echo", {"text": "hello"})

    assert {one.server for one in offers} == {OWN_SERVER}
    assert f"can't be started: it sent a message of more than {MOST_BYTES} bytes" in answer.text


async def test_of_a_write_that_such_an_answer_follows_the_outcome_is_unknown() -> None:
    async with ToolSession("writer", odd()) as writer:
        with pytest.raises(ToolServerLost, match=r"during repeat: it sent a message of more than .* unknown"):
            await writer.call("repeat", {"unit": "x"})

        assert (await writer.call("echo", {"text": "back"})).text == "back"


async def test_a_read_that_is_sent_again_is_given_up_in_the_end_with_the_reason() -> None:
    async with ToolSession("odd", odd(), repeatable=True) as session:
        with pytest.raises(
            ToolServerError, match="3 times in a row during repeat: it sent a message of more"
        ):
            await session.call("repeat", {"unit": "x"})


async def test_long_texts_of_many_calls_at_once_are_read_whatever_they_hold() -> None:
    text = '[{"name": "web, or \\"api\\"", "labels": {"a": [], "b": {}}}]\n\\' * 30_000

    async with ToolSession("odd", odd()) as session:
        answers = await asyncio.gather(*(session.call("echo", {"text": text}) for _ in range(12)))

    assert all(answer.text == text for answer in answers)


async def test_what_a_server_promised_of_its_answers_is_not_checked(box: Toolbox) -> None:
    answer = await box.call("odd", "promise", {})

    assert not answer.is_error
    assert json.loads(answer.text) == {"found": "text"}


@pytest.fixture(params=["/mcp", "/sse"])
def remote(request: pytest.FixtureRequest) -> Iterator[RemoteServer]:
    with odd_over_http() as url:
        kind: Literal["sse", "streamable_http"] = "sse" if request.param == "/sse" else "streamable_http"
        yield RemoteServer(f"{url}{request.param}", kind)


EVENT = f"data: {NOTIFICATION}\n"


@pytest.mark.parametrize(
    ("said", "why"),
    [
        ({"begin": "data: {", "unit": "x"}, f"a message of more than {MOST_BYTES} bytes: ask for less"),
        ({"unit": "data: x\r\n"}, f"a message of more than {MOST_BYTES} bytes"),
        ({"unit": EVENT}, f"it sent more than {MOST_BYTES} bytes for one call"),
        ({"unit": ": still here\r\r"}, f"it sent more than {MOST_BYTES} bytes for one call"),
        ({"begin": "data: [", "unit": "1,", "chunks": 2, "end": "1]\n\n"}, "more than 50000 values"),
        ({"begin": ': "\ndata: [', "unit": "[],", "chunks": 4, "end": "1]\n\n"}, "more than 50000 values"),
    ],
)
async def test_over_http_too_much_of_an_event_stream_is_given_up(
    remote: RemoteServer, said: dict[str, Any], why: str
) -> None:
    async with ToolSession("odd", remote, call_timeout_seconds=30.0) as session:
        with pytest.raises(ToolServerLost) as lost:
            await session.call("say", {"content_type": "text/event-stream; charset=utf-16", **said})

        assert why in str(lost.value)
        assert (await session.call("echo", {"text": "back"})).text == "back"


@pytest.mark.parametrize(
    ("said", "why"),
    [
        ({"begin": '{"a": "', "unit": "x"}, f"a message of more than {MOST_BYTES} bytes: ask for less"),
        ({"begin": ANSWER % 99, "unit": "1,", "chunks": 2, "end": "1]}}"}, "more than 50000 values"),
        ({"unit": "x", "chunks": 1, "headers": {"content-encoding": "gzip"}}, "the answer is compressed"),
    ],
)
async def test_over_http_too_much_of_a_body_is_given_up(said: dict[str, Any], why: str) -> None:
    with odd_over_http() as url:
        async with ToolSession("odd", RemoteServer(f"{url}/mcp"), call_timeout_seconds=30.0) as session:
            with pytest.raises(ToolServerLost) as lost:
                await session.call("say", said)

            assert why in str(lost.value)
            assert (await session.call("echo", {"text": "back"})).text == "back"


async def test_over_http_long_texts_are_read_whatever_they_hold(remote: RemoteServer) -> None:
    text = '[{"name": "web, or \\"api\\"", "labels": {"a": [], "b": {}}}]\n\\' * 30_000

    async with ToolSession("odd", remote) as session:
        answers = [await session.call("echo", {"text": text}) for _ in range(3)]

    assert all(answer.text == text for answer in answers)
