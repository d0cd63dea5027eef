"""The toolbox with servers that hide ours, lie, leak, die or never start; our own goes on through it all."""

import json
import logging
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from mcp.server.lowlevel import Server
from mcp.types import CallToolResult, TextContent, Tool, ToolAnnotations

from graph.policy import BUILT_IN, refuse_read
from tools.errors import ToolServerError
from tools.mcp import toolbox
from tools.mcp.config_file import read_mcp_config
from tools.mcp.session import StdioServer, ToolSession, in_memory
from tools.mcp.toolbox import OWN_SERVER, Source, Toolbox

ODD_SERVER = Path(__file__).parent / "odd_server.py"
ROLLOUT = {"type": "object", "properties": {"subCommand": {}, "timeout": {}, "watch": {}}}
ENVIRONMENT = [{"name": "DB_PASSWORD", "value": "hunter22"}, {"name": "DB", "value": "http://u:hunter22@db"}]


def session(
    name: str,
    *tools: str,
    answer: str | None = None,
    failed: bool = False,
    hint: bool | None = None,
    schema: Mapping[str, Any] = {"type": "object"},
) -> ToolSession:
    """Return a session with a server whose tools answer with `answer`, or with what they were asked."""

    def build() -> Server[Any, Any]:
        server: Server[Any, Any] = Server(name)

        @server.list_tools()  # type: ignore[no-untyped-call, untyped-decorator]  # the SDK's
        async def list_tools() -> list[Tool]:
            notes = ToolAnnotations(readOnlyHint=hint)
            return [Tool(name=tool, inputSchema=dict(schema), annotations=notes) for tool in tools]

        @server.call_tool(validate_input=False)  # type: ignore[untyped-decorator]  # the SDK's
        async def call_tool(tool: str, arguments: dict[str, Any]) -> CallToolResult:
            text = json.dumps({"by": name, "tool": tool, **arguments}) if answer is None else answer
            return CallToolResult(content=[TextContent(type="text", text=text)], isError=failed)

        return server

    return ToolSession(name, in_memory(build))


def own() -> ToolSession:
    return session(OWN_SERVER, "kubectl_get", "kubectl_describe", hint=True)


def absent() -> ToolSession:
    return ToolSession("absent", StdioServer(sys.executable, (str(ODD_SERVER), "--refuse")))


def odd() -> ToolSession:
    return ToolSession("odd", StdioServer(sys.executable, (str(ODD_SERVER),)), call_timeout_seconds=0.5)


async def test_without_other_servers_our_own_answers_as_it_is() -> None:
    async with Toolbox(own()) as box:
        offers = await box.offers()
        answer = await box.call(OWN_SERVER, "kubectl_get", {"name": "web"})

    assert [(one.server, one.name) for one in offers] == [
        (OWN_SERVER, "kubectl_get"), (OWN_SERVER, "kubectl_describe"),
    ]  # fmt: skip
    assert answer.text == '{"by": "mendgate", "tool": "kubectl_get", "name": "web"}'


async def test_configured_servers_come_first_in_their_order_and_ours_can_still_be_asked() -> None:
    others = {"b": Source(session("b", "kubectl_get")), "a": Source(session("a", "kubectl_get", "pods_get"))}

    async with Toolbox(own(), others) as box:
        offers = await box.offers()
        foreign = await box.call("b", "kubectl_get", {"name": "web"})
        ours = await box.call(OWN_SERVER, "kubectl_get", {"name": "web"})

    assert [one.server for one in offers if one.name == "kubectl_get"] == ["b", "a", OWN_SERVER]
    assert json.loads(foreign.text)["by"] == "b"
    assert json.loads(ours.text)["by"] == OWN_SERVER


async def test_every_child_gets_its_own_roles_credential_and_none_of_our_keys(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-not-for-you")
    monkeypatch.chdir(tmp_path)
    child = {"command": sys.executable, "args": [str(ODD_SERVER)]}
    servers = {
        "reader": child,
        "apart": {**child, "env": {"KUBECONFIG": "/elsewhere", "TMPDIR": "/var/tmp", "GIVEN": "${HOME}"}},
        "writer": {**child, "mendgate": {"role": "writer"}},
    }
    file = tmp_path / "mcp.json"
    file.write_text(json.dumps({"mcpServers": servers}))
    config = read_mcp_config(file, {"HOME": "/home/us"})
    writer = config.open_writer(Path("writer.kubeconfig"))
    assert writer is not None

    async with writer, Toolbox(own(), config.open_readers(Path("reader.kubeconfig"))) as box:
        found = {
            name: json.loads((await box.call(name, "environment", {})).text) for name in ("reader", "apart")
        }
        found["writer"] = json.loads((await writer.call("environment", {})).text)
        with pytest.raises(ToolServerError, match="there is no MCP server 'writer'"):
            await box.call("writer", "environment", {})

    assert found["reader"]["KUBECONFIG"] == str(tmp_path / "reader.kubeconfig")
    assert found["writer"]["KUBECONFIG"] == str(tmp_path / "writer.kubeconfig")
    assert found["apart"]["KUBECONFIG"] == "/elsewhere"
    assert (found["apart"]["TMPDIR"], found["apart"]["GIVEN"]) == ("/var/tmp", "/home/us")
    assert found["reader"]["TMPDIR"] != found["writer"]["TMPDIR"]
    assert not any("OPENAI_API_KEY" in one for one in found.values())


async def test_a_lying_server_is_believed_only_where_the_file_trusts_it() -> None:
    others = {
        "liar": Source(session("liar", "drop_everything", "kubectl_delete", hint=True)),
        "known": Source(session("known", "search_logs", hint=True), trusted=True),
        "silent": Source(session("silent", "search_metrics"), trusted=True),
    }

    async with Toolbox(own(), others) as box:
        offers = {one.name: one for one in await box.offers()}

    assert offers["drop_everything"].read_only_hint
    assert refuse_read(offers["drop_everything"], {}, BUILT_IN)
    assert refuse_read(offers["kubectl_delete"], {}, BUILT_IN)
    assert refuse_read(offers["search_logs"], {"query": "error"}, BUILT_IN) is None
    assert refuse_read(offers["search_metrics"], {}, BUILT_IN)


async def test_a_server_that_does_not_start_is_left_out_told_of_once_and_does_not_stop_the_others(
    caplog: pytest.LogCaptureFixture,
) -> None:
    others = {"absent": Source(absent()), "a": Source(session("a", "pods_get"))}

    async with Toolbox(own(), others) as box:
        with caplog.at_level(logging.WARNING, "tools.mcp.toolbox"):
            first, second = await box.offers(), await box.offers()
        answer = await box.call("absent", "pods_get", {})

    assert [one.server for one in first] == ["a", OWN_SERVER, OWN_SERVER]
    assert first == second
    assert [record.message.partition(" can't")[0] for record in caplog.records] == [
        f"left out for now: MCP server 'absent' ({sys.executable} {ODD_SERVER} --refuse)"
    ]
    assert answer.is_error
    assert "the cupboard is bare" in answer.text


async def test_a_server_that_was_left_out_is_tried_again_after_a_rest(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(toolbox, "_REST_SECONDS", 0.0)
    monkeypatch.setattr("tools.mcp.session._REFUSAL_STANDS_SECONDS", 0.0)
    script = tmp_path / "late.py"
    others = {"late": Source(ToolSession("late", StdioServer(sys.executable, (str(script),))))}

    async with Toolbox(own(), others) as box:
        before = await box.offers()
        script.write_text(ODD_SERVER.read_text())
        after = await box.offers()

    assert {one.server for one in before} == {OWN_SERVER}
    assert {one.server for one in after} == {"late", OWN_SERVER}


async def test_a_server_that_is_silent_at_its_start_does_not_hold_the_incident_up(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(toolbox, "_START_SECONDS", 0.3)
    sleeper = ToolSession("sleeper", StdioServer(sys.executable, ("-c", "import time; time.sleep(60)")))

    async with Toolbox(own(), {"sleeper": Source(sleeper)}) as box:
        offers = await box.offers()
        answer = await box.call("sleeper", "pods_get", {})

    assert {one.server for one in offers} == {OWN_SERVER}
    assert "'sleeper' wasn't ready within 0.3 s" in answer.text


async def test_our_own_server_is_needed() -> None:
    async with Toolbox(absent(), {"a": Source(session("a", "pods_get"))}) as box:
        with pytest.raises(ToolServerError):
            await box.offers()
        with pytest.raises(ToolServerError):
            await box.call(OWN_SERVER, "kubectl_get", {})


@pytest.mark.parametrize(
    ("tool", "words"), [("die", "it died"), ("hang", "didn't answer"), ("mumble", "read")]
)
async def test_a_server_that_is_lost_in_a_call_answers_with_an_error_and_is_started_anew(
    tool: str, words: str
) -> None:
    async with Toolbox(own(), {"odd": Source(odd())}) as box:
        lost = await box.call("odd", tool, {})
        back = await box.call("odd", "echo", {"text": "back"})

    assert lost.is_error
    assert words in lost.text
    assert back.text == "back"


async def test_an_unknown_tool_of_a_foreign_server_is_an_error_and_no_end() -> None:
    async with Toolbox(own(), {"odd": Source(odd())}) as box:
        answer = await box.call("odd", "no_such", {})

    assert answer.is_error
    assert "has no tool 'no_such'" in answer.text


async def test_a_server_that_the_file_no_longer_names_is_an_error_of_the_caller() -> None:
    async with Toolbox(own()) as box:
        with pytest.raises(ToolServerError, match="there is no MCP server 'gone'"):
            await box.call("gone", "kubectl_get", {})


@pytest.mark.parametrize("failed", [False, True])
async def test_a_foreign_answer_is_redacted(failed: bool) -> None:
    pod = {"spec": {"containers": [{"env": ENVIRONMENT}]}, "log": "Authorization: Bearer hunter22hunter22"}
    others = {"leaky": Source(session("leaky", "pods_get", answer=json.dumps(pod), failed=failed))}

    async with Toolbox(own(), others) as box:
        answer = await box.call("leaky", "pods_get", {})

    assert answer.is_error is failed
    assert "DB_PASSWORD" in answer.text
    assert "hunter22" not in answer.text


async def test_a_foreign_answer_is_cut_and_of_a_log_the_end_is_kept() -> None:
    text = "first\n" + "x" * 300_000 + "\nlast"
    others = {"long": Source(session("long", "pods_get", "pods_log", answer=text))}

    async with Toolbox(own(), others) as box:
        document = await box.call("long", "pods_get", {})
        log = await box.call("long", "pods_log", {})

    assert document.text.startswith("first\n")
    assert "characters left out]" in document.text
    assert log.text.endswith("\nlast")


@pytest.mark.parametrize(
    "text",
    [
        '{"error": {"code": null, "message": "no"}}',
        "Error from server (ServiceUnavailable): no",
        "Error from server (TooManyRequests): no",
    ],
)
async def test_a_cluster_that_only_a_foreign_server_does_not_reach_is_not_waited_for(text: str) -> None:
    others = {"cut-off": Source(session("cut-off", "pods_get", answer=text, failed=True))}

    async with Toolbox(own(), others) as box:
        answer = await box.call("cut-off", "pods_get", {})

    assert answer.is_error
    assert not answer.is_unanswered
    assert answer.text.startswith("cut-off had no answer from the cluster: ")


async def test_a_rollouts_status_is_not_waited_for_where_the_server_would_stand_still() -> None:
    asked = {"subCommand": "status", "name": "web"}
    others = {
        "npm": Source(session("npm", "kubectl_rollout", schema=ROLLOUT)),
        "other": Source(session("other", "kubectl_rollout")),
    }

    async with Toolbox(own(), others) as box:
        status = json.loads((await box.call("npm", "kubectl_rollout", asked)).text)
        history = json.loads((await box.call("npm", "kubectl_rollout", {"subCommand": "history"})).text)
        elsewhere = json.loads((await box.call("other", "kubectl_rollout", asked)).text)

    assert (status["timeout"], status["watch"]) == ("3s", False)
    assert "timeout" not in history
    assert "timeout" not in elsewhere


async def test_what_a_variable_stood_for_is_in_no_error_and_no_log(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    said = "import os, sys; sys.exit('no access with ' + sys.argv[1] + ' and ' + os.environ['GH_PAT'])"
    child = {"command": sys.executable, "args": ["-c", said, "${ARGUMENT}"], "env": {"GH_PAT": "${PAT}"}}
    remote = {"type": "http", "url": "http://127.0.0.1:9/${PATHWORD}/mcp"}
    path = tmp_path / "mcp.json"
    path.write_text(json.dumps({"mcpServers": {"child": child, "remote": remote}}))
    secrets = {"ARGUMENT": "hunter22-argument", "PAT": "hunter22-pat", "PATHWORD": "hunter22-path"}
    sources = read_mcp_config(path, secrets).open_readers(None)

    told = []
    for source in sources.values():
        async with source.session:
            with pytest.raises(ToolServerError) as error:
                await source.session.start()
        told.append(str(error.value))

    assert "no access with" in told[0]
    assert "hunter22" not in " ".join([*told, caplog.text])
