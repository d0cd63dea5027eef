"""A held session with servers that die, fall silent, babble or never start."""

import asyncio
import hashlib
import json
import os
import signal
import sys
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from tools.errors import ToolServerError, ToolServerLost
from tools.mcp.session import StdioServer, ToolResult, ToolSession

ODD_SERVER = Path(__file__).parent / "odd_server.py"


def odd(*options: str) -> StdioServer:
    return StdioServer(sys.executable, (str(ODD_SERVER), *options), {"GIVEN": "yes"})


@pytest.fixture
async def session() -> AsyncIterator[ToolSession]:
    async with ToolSession("odd", odd(), call_timeout_seconds=10.0) as opened:
        yield opened


async def pid_of(session: ToolSession) -> int:
    return int((await session.call("pid", {})).text)


def is_running(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().split()[2]
    except (FileNotFoundError, ProcessLookupError):  # the second: it was reaped while being read
        return False
    return state != "Z"


async def until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 5
    while not holds():
        assert time.monotonic() < deadline, "waited in vain"
        await asyncio.sleep(0.01)


async def test_calls_share_one_server_and_may_overlap(session: ToolSession) -> None:
    answers = await asyncio.gather(*(session.call("echo", {"text": str(n)}) for n in range(20)))

    assert [answer.text for answer in answers] == [str(n) for n in range(20)]
    assert await pid_of(session) == await pid_of(session)


async def test_a_tools_error_is_a_result_with_its_code(session: ToolSession) -> None:
    assert await session.call("fail", {}) == ToolResult("Error from server (Conflict): it moved", True, 409)


async def test_a_protocols_error_is_a_result_too(session: ToolSession) -> None:
    assert await session.call("protest", {}) == ToolResult("Error from server (NotFound): gone", True, 404)


async def test_a_server_killed_during_a_call_is_lost_and_the_next_call_finds_a_new_one(
    session: ToolSession, tmp_path: Path
) -> None:
    first, sign = await pid_of(session), tmp_path / "called"
    call = asyncio.create_task(session.call("hang", {"sign": str(sign)}))
    await until(sign.exists)
    os.kill(first, signal.SIGKILL)

    with pytest.raises(ToolServerLost, match=r"'odd' .*odd_server.*during hang: it died.*unknown"):
        await call

    assert await pid_of(session) != first


async def test_a_server_that_dies_of_a_call_takes_only_that_call_with_it(session: ToolSession) -> None:
    with pytest.raises(ToolServerLost):
        await session.call("die", {})

    assert (await session.call("echo", {"text": "back"})).text == "back"


async def test_a_server_killed_between_calls_is_replaced_unnoticed(session: ToolSession) -> None:
    first = await pid_of(session)
    os.kill(first, signal.SIGKILL)
    await until(lambda: not is_running(first))

    # the client may not have seen the end of the pipe yet; the identity asks and waits for a live server
    await session.identity()

    assert await pid_of(session) != first


async def test_a_silent_server_is_given_up_and_ended() -> None:
    async with ToolSession("odd", odd(), call_timeout_seconds=0.3) as session:
        first = await pid_of(session)

        with pytest.raises(ToolServerLost, match=r"didn't answer within 0\.3 s"):
            await session.call("hang", {})

        assert await pid_of(session) != first
        await until(lambda: not is_running(first))


async def test_a_call_that_only_reads_is_given_up_in_the_end_with_the_reason() -> None:
    async with ToolSession("odd", odd(), call_timeout_seconds=0.3, repeatable=True) as session:
        with pytest.raises(ToolServerError, match=r"3 times in a row during hang: it didn't answer"):
            await session.call("hang", {})


async def test_garbage_on_stdout_is_passed_over(session: ToolSession) -> None:
    first = await pid_of(session)

    answer = await session.call("garble", {})

    assert answer.text == "after garbage"
    assert await pid_of(session) == first


async def test_an_answer_that_breaks_the_protocol_leaves_the_outcome_unknown(session: ToolSession) -> None:
    with pytest.raises(ToolServerLost, match="can't be read"):
        await session.call("mumble", {})

    assert (await session.call("echo", {"text": "still here"})).text == "still here"


async def test_a_server_that_does_not_start_is_named_with_its_last_words() -> None:
    async with ToolSession("odd", odd("--refuse")) as session:
        with pytest.raises(ToolServerError, match=r"'odd' .*odd_server.py --refuse.*the cupboard is bare"):
            await session.start()


async def test_many_callers_of_a_server_that_does_not_start_wait_for_one_attempt() -> None:
    async with ToolSession("odd", odd("--refuse")) as session:
        outcomes = await asyncio.gather(
            *(session.call("echo", {"text": "x"}) for _ in range(10)), return_exceptions=True
        )

        assert {type(outcome) for outcome in outcomes} == {ToolServerError}
        assert len({str(outcome) for outcome in outcomes}) == 1  # its last words name its process


async def test_a_command_that_does_not_exist_is_named() -> None:
    async with ToolSession("odd", StdioServer("no-such-command")) as session:
        with pytest.raises(ToolServerError, match="no-such-command"):
            await session.start()


async def test_a_server_that_leaves_while_greeting_is_an_error() -> None:
    async with ToolSession("odd", odd("--leave-after-greeting")) as session:
        with pytest.raises(ToolServerError, match="can't be started"):
            await session.start()


async def test_a_tool_that_the_server_does_not_have_is_not_sent(session: ToolSession) -> None:
    with pytest.raises(ToolServerError, match=r"no tool 'drop_database'; its tools: echo, pid"):
        await session.call("drop_database", {})


async def test_the_child_sees_only_what_it_was_given(
    session: ToolSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-not-for-you")

    environment = json.loads((await session.call("environment", {})).text)

    assert environment["GIVEN"] == "yes"
    assert "PATH" in environment
    assert "OPENAI_API_KEY" not in environment


async def test_a_cancelled_caller_leaves_the_session_in_order(session: ToolSession) -> None:
    first = await pid_of(session)
    call = asyncio.create_task(session.call("echo", {"text": "never mind"}))
    await asyncio.sleep(0)
    call.cancel()

    with pytest.raises(asyncio.CancelledError):
        await call

    assert await pid_of(session) == first


async def test_a_caller_that_gives_up_during_the_opening_leaves_no_server_behind() -> None:
    async with ToolSession("odd", odd()) as session:
        opening = asyncio.create_task(session.start())
        await asyncio.sleep(0.02)
        opening.cancel()

        with pytest.raises(asyncio.CancelledError):
            await opening

        assert (await session.call("echo", {"text": "fresh"})).text == "fresh"


async def test_closing_ends_the_server_and_refuses_further_calls() -> None:
    session = ToolSession("odd", odd())
    pid = await pid_of(session)

    await session.aclose()

    assert not is_running(pid)
    with pytest.raises(ToolServerError, match="is closed"):
        await session.call("pid", {})


@pytest.mark.parametrize("steps", [1, 2, 3, 5, 20])
async def test_closing_during_the_opening_ends_both(steps: int) -> None:
    session = ToolSession("odd", odd())
    opening = asyncio.create_task(session.start())
    for _ in range(steps):
        await asyncio.sleep(0)

    await session.aclose()

    with pytest.raises(ToolServerError, match="is closed"):
        await asyncio.wait_for(opening, 60)


async def test_the_session_may_be_opened_in_one_task_and_closed_in_another() -> None:
    session = ToolSession("odd", odd())
    await asyncio.create_task(session.start())

    await asyncio.create_task(session.aclose())


async def test_the_identity_is_what_the_server_says_of_itself(session: ToolSession) -> None:
    identity = await session.identity()

    assert (identity.name, identity.version) == ("odd", "7")
    assert identity.schema_hashes["echo"] == hashlib.sha256(b'{"type":"object"}').hexdigest()


async def test_a_models_tools_go_through_the_session_restarts_included(session: ToolSession) -> None:
    tools = {tool.name: tool for tool in await session.langchain_tools()}
    os.kill(await pid_of(session), signal.SIGKILL)
    await session.identity()

    answer = await tools["echo"].ainvoke({"text": "hello"})

    assert [block["text"] for block in answer] == ["hello"]
