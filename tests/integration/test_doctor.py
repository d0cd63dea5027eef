"""The doctor's checks against real things: clusters, databases, MCP servers, a model over HTTP."""

import json
import sys
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr
from sqlalchemy.engine import make_url
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from api.config.settings import Settings
from api.doctor.alertmanager import check_alertmanager
from api.doctor.check import Check, bounded
from api.doctor.database import check_database
from api.doctor.llm import check_model
from api.doctor.mcp_servers import check_servers
from api.doctor.reader import check_reader
from api.doctor.writer import check_writer
from checkpoints.db.errors import DatabaseUnavailable
from tests.alertmanagers import RealAlertmanager
from tests.databases import PostgresUnderTest
from tests.integration.cluster.clusters import ClusterUnderTest, await_condition
from tests.integration.model_server import Answer, ScriptedModel, calls, refuses, says, status
from tools.sandbox import SandboxCluster

ROOT = Path(__file__).parents[2]
ODD_SERVER = Path(__file__).parent / "mcp" / "odd_server.py"
KEY = "sk-scripted-4711-0815"
Attributes = dict[str, str]
Judge = Callable[[Attributes], bool | None]


class Judging:
    """Answers access reviews as a test wants them answered; None leaves one to the server."""

    def __init__(self, app: ASGIApp, judge: Judge) -> None:
        self._app = app
        self._judge = judge

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["method"] != "POST" or not scope["path"].endswith("/selfsubjectaccessreviews"):
            await self._app(scope, receive, send)
            return
        review = await Request(scope, receive).json()
        verdict = self._judge(review["spec"]["resourceAttributes"])
        if verdict is None:
            verdict = review["spec"]["resourceAttributes"]["verb"] in {"get", "list"}
        await JSONResponse({**review, "status": {"allowed": verdict}}, 201)(scope, receive, send)


@asynccontextmanager
async def judged(folder: Path, judge: Judge) -> AsyncIterator[Settings]:
    """Run a sandbox whose access reviews a test answers; both credentials are the same in them."""
    async with SandboxCluster(middleware=[Middleware(Judging, judge=judge)]) as sandbox:
        reader, writer = sandbox.write_kubeconfigs(folder)
        yield Settings(kubeconfig=reader, write_kubeconfig=writer)


def settings_for(cluster: ClusterUnderTest) -> Settings:
    return Settings(kubeconfig=cluster.reader_kubeconfig, write_kubeconfig=cluster.writer_kubeconfig)


def by_name(checks: Sequence[Check]) -> dict[str, Check]:
    return {check.name.partition(": ")[2]: check for check in checks}


def statuses(checks: Sequence[Check]) -> list[str]:
    return [check.status for check in checks]


async def test_the_readers_credential_reads_what_is_needed_and_writes_nothing(
    cluster: ClusterUnderTest,
) -> None:
    found = by_name(await check_reader(settings_for(cluster)))

    assert cluster.reader_kubeconfig.name not in str(found)
    assert found["cluster"].status in {"ok", "warning"}
    assert "at http" in found["cluster"].found
    assert (found["may read"].status, found["can't write"].status) == ("ok", "ok")


async def test_the_sandbox_is_called_one(sandbox: SandboxCluster, tmp_path: Path) -> None:
    reader, _ = sandbox.write_kubeconfigs(tmp_path)

    found = by_name(await check_reader(Settings(kubeconfig=reader)))

    assert found["cluster"].found.startswith("the sandbox cluster, at ")


async def test_a_reader_that_can_write_has_failed(cluster: ClusterUnderTest) -> None:
    settings = Settings(kubeconfig=cluster.writer_kubeconfig)

    found = by_name(await check_reader(settings))["can't write"]

    assert found.status == "failed"
    assert "patch" in found.found
    assert "deployments, statefulsets, daemonsets in default" in found.found
    assert "mendgate-read" in found.fix


async def test_the_writers_credential_patches_workloads_of_the_same_cluster(
    cluster: ClusterUnderTest,
) -> None:
    found = by_name(await check_writer(settings_for(cluster)))

    assert (found["same cluster"].status, found["may patch"].status) == ("ok", "ok")
    assert found["may patch"].found.startswith("deployments, statefulsets, daemonsets, in default")


async def test_without_a_writer_nothing_can_be_changed() -> None:
    (found,) = await check_writer(Settings(write_kubeconfig=None))

    assert found.status == "warning"
    assert "MENDGATE_WRITE_KUBECONFIG isn't set" in found.found
    assert "docs/credentials.md" in found.fix


async def test_two_clusters_are_not_one(sandbox: SandboxCluster, tmp_path: Path) -> None:
    reader, _ = sandbox.write_kubeconfigs(tmp_path)
    async with SandboxCluster() as other:
        (tmp_path / "other").mkdir()
        _, writer = other.write_kubeconfigs(tmp_path / "other")

        found = by_name(await check_writer(Settings(kubeconfig=reader, write_kubeconfig=writer)))

    assert found["same cluster"].status == "failed"
    assert found["same cluster"].found == f"{sandbox.url} and {other.url} are two clusters"


async def test_a_refused_credential_is_to_be_renewed(sandbox: SandboxCluster, tmp_path: Path) -> None:
    reader, _ = sandbox.write_kubeconfigs(tmp_path)
    reader.write_text(reader.read_text().replace(sandbox.reader_token, "expired-0815"))

    checks = await check_reader(Settings(kubeconfig=reader))

    assert statuses(checks) == ["failed", "skipped", "skipped"]
    assert checks[0].fix == "Renew the credential: docs/credentials.md says how."
    assert "expired-0815" not in str(checks)


async def test_a_cluster_that_is_down_leaves_its_rights_untold(tmp_path: Path) -> None:
    async with SandboxCluster() as sandbox:
        reader, writer = sandbox.write_kubeconfigs(tmp_path)
    settings = Settings(kubeconfig=reader, write_kubeconfig=writer)

    assert statuses(await check_reader(settings)) == ["failed", "skipped", "skipped"]
    assert statuses(await check_writer(settings)) == ["failed", "skipped", "skipped", "skipped"]


async def test_a_kubeconfig_that_is_not_there_has_failed(tmp_path: Path) -> None:
    checks = await check_reader(Settings(kubeconfig=tmp_path / "none"))

    assert statuses(checks) == ["failed", "skipped", "skipped"]
    assert "kubectl version" in checks[0].fix


def lacks(resource: str, subresource: str = "") -> Judge:
    def judge(asked: Attributes) -> bool | None:
        return False if (asked["resource"], asked.get("subresource", "")) == (resource, subresource) else None

    return judge


def only_in_default(asked: Attributes) -> bool | None:
    return None if asked.get("namespace") == "default" else False


@pytest.mark.parametrize(
    ("judge", "outcome", "words"),
    [
        (lacks("pods", "log"), "failed", "it may not get pods/log"),
        (lacks("events"), "failed", "it may not list events"),
        (lacks("nodes"), "warning", "it may not get nodes, list nodes"),
        (lacks("secrets"), "ok", "in all namespaces"),
        (only_in_default, "warning", "only in default"),
    ],
)
async def test_what_the_reader_may_not_read_is_told(
    judge: Judge, outcome: str, words: str, tmp_path: Path
) -> None:
    async with judged(tmp_path, judge) as settings:
        found = by_name(await check_reader(settings))["may read"]

    assert (found.status, words in found.found) == (outcome, True), found


def holds(verb: str, resource: str, namespace: str = "") -> Judge:
    """Grant what the two roles of mendgate do, in `shop` or everywhere, and one right more."""

    def judge(asked: Attributes) -> bool | None:
        place = asked.get("namespace", "")
        name = "/".join(filter(None, (asked["resource"], asked.get("subresource"))))
        if (asked["verb"], name) == (verb, resource) and place == namespace:
            return True
        if asked["verb"] in {"get", "list"}:
            return asked["resource"] != "secrets" and name != "pods/exec"
        patchable = {"deployments", "statefulsets", "daemonsets"}
        return asked["verb"] == "patch" and place == "default" and name in patchable

    return judge


@pytest.mark.parametrize(
    ("judge", "words"),
    [
        (holds("delete", "deployments"), "delete deployments in all namespaces"),
        (holds("delete", "pods", "default"), "delete pods in default"),
        (holds("get", "secrets", "kube-public"), "get secrets in kube-public"),
        (holds("get", "pods/exec"), "get pods/exec in all namespaces"),
        (holds("create", "rolebindings", "default"), "create rolebindings in default"),
        (holds("patch", "daemonsets", "kube-system"), "patch daemonsets in kube-system"),
    ],
)
async def test_more_than_the_writer_needs_is_a_warning(judge: Judge, words: str, tmp_path: Path) -> None:
    async with judged(tmp_path, judge) as settings:
        found = by_name(await check_writer(settings))

    assert found["nothing more"].status == "warning"
    assert found["nothing more"].found == f"it may also {words}"


async def test_the_two_documented_roles_are_just_enough(tmp_path: Path) -> None:
    async with judged(tmp_path, holds("get", "pods")) as settings:
        found = by_name(await check_writer(settings))

    assert statuses(list(found.values())) == ["ok", "ok", "ok", "ok"]
    assert found["may patch"].found == "deployments, statefulsets, daemonsets, in default"


@pytest.mark.parametrize(
    ("granted", "outcome", "words"),
    [
        (frozenset[str](), "failed", "no workload, be it in default"),
        (frozenset({"deployments"}), "warning", "nowhere may it patch statefulsets, patch daemonsets"),
    ],
)
async def test_a_writer_that_can_not_patch_is_told(
    granted: frozenset[str], outcome: str, words: str, tmp_path: Path
) -> None:
    def judge(asked: Attributes) -> bool | None:
        return (asked["resource"] in granted) if asked["verb"] == "patch" else None

    async with judged(tmp_path, judge) as settings:
        found = by_name(await check_writer(settings))["may patch"]

    assert (found.status, words in found.found) == (outcome, True), found


def file_of(folder: Path, **servers: Any) -> Path:
    path = folder / "mcp.json"
    path.write_text(json.dumps({"mcpServers": servers}))
    return path


def own_server(role: str, **entry: Any) -> dict[str, Any]:
    arguments = ["-P", "-m", "tools.mcp.server", "--role", role, "--kubeconfig", "${KUBECONFIG_OF_TEST}"]
    return {"command": sys.executable, "args": arguments, "env": {"PYTHONPATH": str(ROOT)}, **entry}


async def test_our_own_servers_start_and_offer_their_tools(sandbox: SandboxCluster, tmp_path: Path) -> None:
    reader, writer = sandbox.write_kubeconfigs(tmp_path)

    checks = await check_servers(Settings(kubeconfig=reader, write_kubeconfig=writer))

    assert statuses(checks) == ["ok", "ok"]
    assert "kubectl_get, kubectl_describe" in checks[0].found
    assert checks[1].found == "offers kubectl_patch"


async def test_configured_servers_are_judged_by_the_policy(
    sandbox: SandboxCluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    reader, writer = sandbox.write_kubeconfigs(tmp_path)
    monkeypatch.setenv("KUBECONFIG_OF_TEST", str(reader))
    writes = {"mendgate": {"role": "writer"}}
    path = file_of(
        tmp_path,
        other=own_server("reader"),
        patcher=own_server("writer", **writes),
        odd={"command": sys.executable, "args": [str(ODD_SERVER)]},
    )
    settings = Settings(kubeconfig=reader, write_kubeconfig=writer, mcp_config=path, model="m")

    found = by_name(await check_servers(settings))

    assert list(found) == ["our reader", "other", "patcher", "odd"]
    assert statuses(list(found.values())) == ["ok", "ok", "ok", "warning"]
    assert found["other"].found.startswith("to read through: kubectl_get")
    assert found["patcher"].found == "offers kubectl_patch"
    assert found["odd"].found.startswith("to read through: nothing; refused: echo, pid")


async def test_a_writer_without_the_patch_tool_has_failed(sandbox: SandboxCluster, tmp_path: Path) -> None:
    reader, writer = sandbox.write_kubeconfigs(tmp_path)
    odd = {"command": sys.executable, "args": [str(ODD_SERVER)], "mendgate": {"role": "writer"}}
    path = file_of(tmp_path, odd=odd)

    unused = by_name(await check_servers(Settings(kubeconfig=reader, mcp_config=path)))["odd"]
    used = Settings(kubeconfig=reader, write_kubeconfig=writer, mcp_config=path)
    found = by_name(await check_servers(used))["odd"]

    assert (unused.status, "never used" in unused.found) == ("warning", True)
    assert found.status == "failed"
    assert found.found.startswith("it offers no kubectl_patch, only echo")


async def test_a_server_that_does_not_start_has_failed_without_its_secrets(
    sandbox: SandboxCluster, tmp_path: Path
) -> None:
    reader, _ = sandbox.write_kubeconfigs(tmp_path)
    tell = "import os, sys; sys.exit('no: ' + os.environ['API_KEY'])"
    broken = {"command": sys.executable, "args": ["-c", tell], "env": {"API_KEY": KEY}}
    settings = Settings(kubeconfig=reader, mcp_config=file_of(tmp_path, broken=broken), model="m")

    found = by_name(await check_servers(settings))

    assert (found["our reader"].status, found["broken"].status) == ("ok", "failed")
    assert "its last words: no: <redacted>" in found["broken"].found
    assert KEY not in str(found)


async def test_a_silent_server_has_failed_and_is_ended(
    sandbox: SandboxCluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    reader, _ = sandbox.write_kubeconfigs(tmp_path)
    monkeypatch.setattr("api.doctor.mcp_servers.SERVER_SECONDS", 1.0)
    sign = tmp_path / "signs" / "ended"
    sign.parent.mkdir()
    silent = f"import pathlib, sys; sys.stdin.read(); pathlib.Path({str(sign)!r}).touch()"
    writes = {"writes": [str(sign.parent)]}
    command = {"command": sys.executable, "args": ["-S", "-c", silent], "mendgate": writes}
    path = file_of(tmp_path, silent=command)

    found = by_name(await check_servers(Settings(kubeconfig=reader, mcp_config=path, model="m")))

    assert (found["silent"].status, found["silent"].found) == ("failed", "no answer within 1 s")
    await await_condition(lambda: is_there(sign), "the silent server's end")


async def is_there(path: Path) -> bool | None:
    return True if path.exists() else None  # noqa: ASYNC240 -- one look


async def test_a_file_of_servers_that_can_not_be_read_has_failed(
    sandbox: SandboxCluster, tmp_path: Path
) -> None:
    reader, _ = sandbox.write_kubeconfigs(tmp_path)
    path = tmp_path / "mcp.json"
    path.write_text("{")

    checks = await check_servers(Settings(kubeconfig=reader, mcp_config=path))

    assert statuses(checks) == ["ok", "failed"]
    assert "isn't JSON" in checks[1].found


def modelled(model: ScriptedModel) -> Settings:
    return Settings(model="scripted", openai_base_url=model.base_url, openai_api_key=SecretStr(KEY))


async def test_without_a_model_the_runbooks_are_enough() -> None:
    found = await check_model(Settings(model=None))

    assert (found.status, found.fix) == ("ok", "")
    assert "the runbooks diagnose alone" in found.found


@pytest.mark.parametrize(
    ("script", "outcome", "words"),
    [
        ([calls("answer", ready=True)], "ok", "asked by tool calling (120 tokens)"),
        ([says("ready")], "ok", "asked by tool calling"),
        ([status(400, "tools are not supported"), says('{"ready": true}')], "ok", "asked by a JSON schema"),
        ([refuses("I'd rather not")], "warning", "but refused to answer"),
        ([says("", finish_reason="length")], "warning", "but said nothing (length)"),
    ],
)
async def test_a_model_that_answers_is_told_with_how_it_was_asked(
    script: list[Answer], outcome: str, words: str
) -> None:
    async with ScriptedModel(script) as model:
        found = await check_model(modelled(model))

    assert (found.status, words in found.found) == (outcome, True), found
    assert found.found.startswith("scripted answered in ")
    assert not model.exhausted


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (status(401, f"Incorrect API key provided: {KEY}"), "OPENAI_API_KEY"),
        (status(404, "no such model"), "MENDGATE_MODEL"),
        (status(429, "slow down"), "rate limit"),
        (status(500, "on fire"), "own log"),
    ],
)
async def test_a_model_that_can_not_be_asked_has_failed_with_its_remedy(answer: Answer, words: str) -> None:
    async with ScriptedModel([answer]) as model:
        found = await check_model(modelled(model))

    assert found.status == "failed"
    assert words in found.fix
    assert KEY not in str(found)
    assert len(model.requests) == 1


async def test_a_model_that_is_not_there_has_failed() -> None:
    async with ScriptedModel([]) as model:
        settings = modelled(model)

    found = await check_model(settings)

    assert found.status == "failed"
    assert "OPENAI_BASE_URL" in found.fix


async def test_a_migrated_postgres_is_in_order(postgres: PostgresUnderTest) -> None:
    with postgres.database() as url:
        found = await check_database(Settings(database_url=url))

    assert found.status == "ok"
    assert "tables up to date, may be written to" in found.found
    assert str(make_url(url).database) in found.found


async def test_a_postgres_without_tables_is_to_be_migrated(postgres: PostgresUnderTest) -> None:
    with postgres.empty_database() as url:
        found = await check_database(Settings(database_url=url))

    assert (found.status, "no tables yet" in found.found) == ("failed", True)
    assert "`mendgate migrate`" in found.fix


async def test_a_postgres_that_is_read_only_has_failed(postgres: PostgresUnderTest) -> None:
    with postgres.database() as url:
        read_only = make_url(url).update_query_dict({"options": "-c default_transaction_read_only=on"})
        settings = Settings(database_url=read_only.render_as_string(hide_password=False))

        with pytest.raises(DatabaseUnavailable, match="may only read"):
            await check_database(settings)


async def test_the_real_alertmanager_is_found_with_our_receiver(tmp_path: Path) -> None:
    alertmanager = RealAlertmanager(tmp_path)
    alertmanager.deliver_to("http://127.0.0.1:9/", "mg_nobody")
    await alertmanager.start()
    try:
        settings = Settings(alertmanager_url=(alertmanager.url,), alertmanager_receiver="mendgate")
        found = await check_alertmanager(settings)
        strange = await check_alertmanager(settings.model_copy(update={"alertmanager_receiver": "pagers"}))
        any_receiver = await check_alertmanager(settings.model_copy(update={"alertmanager_receiver": None}))
    finally:
        await alertmanager.stop()

    assert (found.status, found.found[: len(alertmanager.url)]) == ("ok", alertmanager.url)
    assert (strange.status, any_receiver.status) == ("failed", "warning")
    assert "has no receiver pagers" in strange.found
    assert "mendgate" in strange.fix


async def test_an_alertmanager_that_does_not_answer_has_failed() -> None:
    settings = Settings(alertmanager_url=("http://127.0.0.1:9",))

    found = await bounded("Alertmanager", check_alertmanager(settings), "Mend it.")

    assert found.status == "failed"
    assert "http://127.0.0.1:9/api/v2/receivers" in found.found


async def test_without_an_alertmanager_nothing_is_asked() -> None:
    found = await check_alertmanager(Settings())

    assert found.status == "ok"
    assert "none is set" in found.found
