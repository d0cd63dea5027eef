"""The language model's adapter against a real HTTP server that behaves as endpoints do, badly included."""

import asyncio
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import pytest
from pydantic import SecretStr

from tests.integration.model_server import (
    Answer,
    ScriptedModel,
    calls,
    forever,
    half,
    late,
    raw,
    raw_calls,
    refuses,
    says,
    silence,
    status,
)
from tools.errors import BadInput
from tools.llm.client import ChatModel, Function, FunctionCall, Message, ModelUnavailable, Question, Reply
from tools.llm.endpoint_capabilities import Dialect

KEY = "sk-test-0123456789"
SCHEMA = {"type": "object", "properties": {"decision": {"enum": ["hand_over"]}}}
FUNCTION = Function("kubectl_get", "Get objects.", {"type": "object", "properties": {"name": {}}})
CONVERSATION = (Message("system", "You diagnose."), Message("user", "What is wrong?"))
TOO_LONG = (
    (400, "This model's maximum context length is 8192 tokens. However, you requested 9000 tokens"),
    (400, "request (4390 tokens) exceeds the available context size (4096 tokens), try increasing it"),
    (400, "Your input exceeds the context window of this model. code: context_length_exceeded"),
    (400, "max_tokens must be at least 1, got -186."),
    (500, "Context size has been exceeded."),
)
NO_TOOLS = (
    (400, "registry.ollama.ai/library/gemma3:4b does not support tools"),
    (400, '"auto" tool choice requires --enable-auto-tool-choice and --tool-call-parser to be set'),
    (400, "deepseek-reasoner does not support Function Calling"),
    (404, "No endpoints found that support tool use"),
    (422, "tools: extra fields not permitted"),
    (501, "tools are not implemented"),
    (400, "Bad Request"),
)
NO_COMPLETION = (
    raw(b"<html>It works!</html>", content_type="text/html"),
    raw(b'{"choices": ['),
    raw(b'{"choices": []}'),
    raw(b'{"choices": null}'),
    raw(b'{"choices": [{"message": {"role": "assistant", "content": 5}}]}'),
    raw(b'{"choices": [{"message": {"role": "user", "content": "hello"}}]}'),
    raw(b'{"choices": [{"message": {"role": "assistant", "tool_calls": [{"id": "1"}]}}]}'),
    raw(b'{"error": {"message": "boo"}}'),
    raw(b"[1, 2]"),
    raw(b""),
    raw(b"[" * 200_000),
    raw(b"\xff\xfe"),
)


def question(seconds: float = 20) -> Question:
    return Question(CONVERSATION, (FUNCTION,), SCHEMA, seconds)


@asynccontextmanager
async def asking(
    script: Sequence[Answer], *, retries: int = 0, timeout_seconds: float = 5
) -> AsyncIterator[tuple[ChatModel, ScriptedModel]]:
    async with (
        ScriptedModel(script) as server,
        ChatModel(
            "scripted",
            base_url=server.base_url,
            api_key=SecretStr(KEY),
            timeout_seconds=timeout_seconds,
            retries=retries,
        ) as model,
    ):
        yield model, server


async def answered(*script: Answer, **options: Any) -> tuple[Reply, ScriptedModel]:
    async with asking(script, **options) as (model, server):
        return await model.ask(question()), server


async def failed(*script: Answer, **options: Any) -> tuple[str, ScriptedModel]:
    """Return why the model was unavailable, which never names the key."""
    async with asking(script, **options) as (model, server):
        with pytest.raises(ModelUnavailable) as caught:
            await model.ask(question())
        assert KEY not in str(caught.value)
        return str(caught.value), server


async def test_a_call_of_a_function_comes_back_with_its_arguments_and_its_cost() -> None:
    reply, server = await answered(calls("kubectl_get", name="网站"))

    (request,) = server.requests
    assert reply.calls == (FunctionCall("kubectl_get", {"name": "网站"}, '{"name": "网站"}'),)
    assert (reply.mode, reply.tokens, reply.finish_reason) == ("tools", 120, "tool_calls")
    assert 0 < reply.seconds < 20
    assert request.headers["authorization"] == f"Bearer {KEY}"
    assert request.body["model"] == "scripted"
    assert request.body["messages"] == [
        {"role": "system", "content": "You diagnose."},
        {"role": "user", "content": "What is wrong?"},
    ]
    (tool,) = request.body["tools"]
    assert tool["function"]["name"] == "kubectl_get"
    assert tool["function"]["parameters"] == FUNCTION.parameters


async def test_a_request_is_bounded_cold_and_not_streamed() -> None:
    _, server = await answered(says("fine"))

    body = server.requests[0].body
    assert (body["max_tokens"], body["temperature"], body["stream"]) == (4000, 0, False)
    assert "max_completion_tokens" not in body
    assert "response_format" not in body


async def test_an_answer_in_words_is_an_answer() -> None:
    reply, _ = await answered(says("looks fine", finish_reason="length"))

    assert (reply.text, reply.calls, reply.finish_reason) == ("looks fine", (), "length")


async def test_a_refusal_of_the_model_is_told_apart_from_its_text() -> None:
    reply, _ = await answered(refuses("I can't help with that."))

    assert (reply.text, reply.refusal) == ("", "I can't help with that.")


async def test_several_calls_come_back_and_broken_arguments_are_shown() -> None:
    reply, _ = await answered(raw_calls(("broken", '{"name": '), ("whole", "{}")))

    assert reply.calls == (FunctionCall("whole", {}, "{}"), FunctionCall("broken", None, '{"name": '))


@pytest.mark.parametrize("arguments", ["[1]", '"text"', "5", {"already": "parsed"}])
async def test_arguments_that_are_no_text_of_an_object_are_a_bad_call_and_no_failure(arguments: Any) -> None:
    reply, _ = await answered(raw_calls(("kubectl_get", arguments)))

    (call,) = reply.calls
    assert call.arguments is None
    assert call.raw
    assert reply.tokens > 0


async def test_text_that_no_database_takes_is_cleaned() -> None:
    reply, _ = await answered(
        raw(b'{"choices": [{"message": {"role": "assistant", "content": "a\\ud800\\u0000b"}}]}')
    )
    call, _ = await answered(raw_calls(("f", '{"key": ["x\\ud800\\u0000y"]}')))

    assert reply.text == "a?b"
    assert call.calls == (FunctionCall("f", {"key": ["x?y"]}, '{"key": ["x?y"]}'),)


@pytest.mark.parametrize(
    "arguments",
    ['{"key": NaN}', '{"key": -Infinity}', '{"key": ' + "[" * 900 + "]" * 900 + "}", "[" * 200_000],
)
async def test_arguments_that_no_database_takes_are_a_bad_call(arguments: str) -> None:
    reply, _ = await answered(raw_calls(("f", arguments)))

    (call,) = reply.calls
    assert (call.name, call.arguments) == ("f", None)
    assert call.raw


async def test_endless_arguments_are_shown_in_part() -> None:
    reply, _ = await answered(raw_calls(("f", "{" * 1_000_000)))

    assert len(reply.calls[0].raw) == 2000


async def test_tokens_are_estimated_where_the_endpoint_does_not_say() -> None:
    reply, _ = await answered(
        raw(b'{"choices": [{"message": {"role": "assistant", "content": "' + b"a" * 400 + b'"}}]}')
    )

    assert 100 < reply.tokens < 150


@pytest.mark.parametrize(("code", "words"), NO_TOOLS)
async def test_an_endpoint_without_tools_is_asked_by_schema_from_then_on(code: int, words: str) -> None:
    async with asking([status(code, words), forever(says("{}"))]) as (model, server):
        first = await model.ask(question())
        second = await model.ask(question())

    refused, *others = (request.body for request in server.requests)
    assert (first.mode, second.mode) == ("json_schema", "json_schema")
    assert "tools" in refused
    assert len(others) == 2
    for body in others:
        assert "tools" not in body
        assert body["response_format"]["json_schema"] == {"name": "answer", "schema": SCHEMA, "strict": False}
        assert [message["role"] for message in body["messages"]] == ["system", "user"]
        assert '{"type":"object"' in body["messages"][0]["content"]


async def test_an_endpoint_that_knows_no_schema_either_is_asked_in_words() -> None:
    reply, server = await answered(
        status(400, "x does not support tools"),
        status(422, "response_format.type: This response_format type is unavailable now"),
        says("{}"),
    )

    body = server.requests[-1].body
    assert reply.mode == "text"
    assert not {"tools", "response_format"} & set(body)
    assert "Answer with one JSON document" in body["messages"][0]["content"]


async def test_an_old_llama_server_without_its_template_engine_is_asked_by_schema() -> None:
    reply, server = await answered(status(500, "tools param requires --jinja flag"), says("{}"))

    assert reply.mode == "json_schema"
    assert len(server.requests) == 2


async def test_an_endpoint_that_refuses_everything_is_unavailable_and_forgiven_later() -> None:
    async with asking([*[status(400, "Content Exists Risk")] * 3, calls("kubectl_get")]) as (model, _):
        with pytest.raises(ModelUnavailable, match="Content Exists Risk"):
            await model.ask(question())

        reply = await model.ask(question())

    assert reply.mode == "tools"


async def test_a_reasoning_model_gets_the_parameters_it_takes() -> None:
    limit = (
        "Unsupported parameter: 'max_tokens' is not supported with this model. Use 'max_completion_tokens'"
    )
    reply, server = await answered(
        status(400, limit),
        status(400, "Unsupported value: 'temperature' does not support 0 with this model."),
        says("{}"),
    )

    body = server.requests[-1].body
    assert reply.mode == "tools"
    assert body["max_completion_tokens"] == 4000
    assert not {"temperature", "max_tokens"} & set(body)


@pytest.mark.parametrize(("code", "words"), TOO_LONG)
async def test_a_question_that_is_too_long_is_not_asked_in_another_way(code: int, words: str) -> None:
    why, server = await failed(status(code, words))

    assert "larger context" in why
    assert len(server.requests) == 1


@pytest.mark.parametrize("code", [401, 403])
async def test_a_refused_key_names_the_setting_and_not_the_key(code: int) -> None:
    why, server = await failed(status(code, f"Incorrect API key provided: {KEY[:8]}***{KEY[-4:]}"))

    assert "OPENAI_API_KEY" in why
    assert KEY[-4:] not in why
    assert len(server.requests) == 1


async def test_an_unknown_model_names_both_settings() -> None:
    why, _ = await failed(status(404, f"model not found for {KEY}"))

    assert "MENDGATE_MODEL" in why
    assert "OPENAI_BASE_URL" in why
    assert "model not found" in why


@pytest.mark.parametrize("answer", NO_COMPLETION)
async def test_what_is_no_completion_is_unavailable(answer: Answer) -> None:
    why, _ = await failed(answer)

    assert "no chat completion" in why
    assert len(why) < 600


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (says("x" * 3_000_000), "more than 2000000 bytes"),
        (replace(says("packed"), headers={"content-encoding": "gzip"}), "is compressed"),
    ],
)
async def test_an_answer_that_would_fill_the_memory_is_not_read_to_its_end(
    answer: Answer, words: str
) -> None:
    why, _ = await failed(answer, retries=0)

    assert words in why


async def test_retry_after_is_honoured() -> None:
    loop = asyncio.get_running_loop()
    started = loop.time()

    reply, server = await answered(status(429, retry_after=0.3), says("ok"), retries=1)

    assert reply.text == "ok"
    assert len(server.requests) == 2
    assert loop.time() - started >= 0.3


@pytest.mark.parametrize("bad", [status(429), status(500), half()], ids=["429", "500", "half"])
async def test_a_passing_failure_is_asked_again(bad: Answer) -> None:
    reply, server = await answered(bad, says("ok"), retries=1)

    assert reply.text == "ok"
    assert len(server.requests) == 2


@pytest.mark.parametrize(
    ("bad", "words"),
    [
        (status(429, "quota"), "limits the rate"),
        (status(503, "overloaded"), "503: overloaded"),
        (half(), "hangs up"),
        (silence(), "too slow, or silent"),
    ],
    ids=["429", "503", "half", "silence"],
)
async def test_a_lasting_failure_is_unavailable(bad: Answer, words: str) -> None:
    why, server = await failed(forever(bad), retries=0, timeout_seconds=0.2)

    assert words in why
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    "bad", [status(429, retry_after=60), silence(), late(says("ok"), 60)], ids=["429", "silence", "late"]
)
async def test_the_question_s_seconds_bound_everything(bad: Answer) -> None:
    loop = asyncio.get_running_loop()
    async with asking([says("warm"), forever(bad)], retries=3, timeout_seconds=30) as (model, _):
        await model.ask(question())
        started = loop.time()

        with pytest.raises(ModelUnavailable, match=r"no answer within 0\.3 s"):
            await model.ask(question(seconds=0.3))

        assert loop.time() - started < 2


async def test_an_endpoint_that_is_down_is_named_without_its_password() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    url = f"http://me:hidden@127.0.0.1:{port}/v1"

    async with ChatModel("scripted", base_url=url, api_key=None, retries=0) as model:
        with pytest.raises(ModelUnavailable) as caught:
            await model.ask(question())

    assert f"http://127.0.0.1:{port}/v1 can't be reached" in str(caught.value)
    assert "hidden" not in str(caught.value)


async def test_several_questions_at_once_are_kept_apart() -> None:
    script = [forever(late(says("ok"), 0.1))]

    async with asking(script) as (model, server):
        replies = await asyncio.gather(*(model.ask(question()) for _ in range(4)))

    assert [reply.text for reply in replies] == ["ok"] * 4
    assert len(server.requests) == 4


def test_a_key_that_no_header_can_carry_is_refused_without_being_shown() -> None:
    with pytest.raises(BadInput, match="OPENAI_API_KEY") as caught:
        ChatModel("scripted", base_url=None, api_key=SecretStr("sk-\nbad"))

    assert "sk-" not in str(caught.value)


@pytest.mark.parametrize(
    "url", ["http://", "ftp://host/v1", "http://[bad", "http://host:99999/v1", "host/v1"]
)
def test_a_url_that_is_none_is_refused(url: str) -> None:
    with pytest.raises(BadInput, match="OPENAI_BASE_URL"):
        ChatModel("scripted", base_url=url, api_key=None)


@pytest.mark.parametrize(
    ("name", "value"), [("SSL_CERT_FILE", "/nonexistent"), ("ALL_PROXY", "socks5://127.0.0.1:9")]
)
async def test_an_environment_that_lets_no_client_be_made_is_no_crash(
    name: str, value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, value)

    why, _ = await failed()

    assert name in why


async def test_another_way_of_asking_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    await answered(status(400, "x does not support tools"), says("{}"))

    assert "json_schema" in caplog.text
    assert KEY not in caplog.text


def test_building_a_model_imports_no_client() -> None:
    code = (
        "import sys; from tools.llm.client import ChatModel; ChatModel('m', base_url=None, api_key=None);"
        "sys.exit(bool({'openai', 'langchain_openai', 'langchain_core'} & set(sys.modules)))"
    )

    done = subprocess.run([sys.executable, "-c", code], check=False)

    assert done.returncode == 0


def test_openai_itself_is_asked_with_its_newer_limit() -> None:
    assert Dialect.of("https://api.openai.com/v1").limit == "max_completion_tokens"
    assert Dialect.of("https://api.deepseek.com/v1").limit == "max_tokens"
