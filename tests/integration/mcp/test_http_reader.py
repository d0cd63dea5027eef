"""Our reading tools over HTTP: who is let in, what is offered, and that a restart is survived."""

import asyncio
import os
import signal
import socket
import ssl
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import httpx
import pytest
import yaml

from api.config.settings import Settings
from api.http_server.tls import certified
from api.serving.reader_server import serve_reader
from tests.acceptance.lives import COMMAND
from tests.acceptance.services import ServiceProcess
from tests.acceptance.workloads import body_for, break_image
from tests.integration.cluster.clusters import ClusterUnderTest, SandboxUnderTest, await_condition
from tools.errors import BadInput, ToolServerError
from tools.mcp.http_server import reader_over_http
from tools.mcp.session import ToolResult, ToolSession
from tools.sandbox import SandboxCluster

SECRET = "0123456789abcdef0123456789abcdef"
PODS = {"resourceType": "pods", "output": "name"}


@pytest.fixture
async def cluster(sandbox: SandboxCluster, tmp_path: Path) -> AsyncIterator[ClusterUnderTest]:
    under_test = SandboxUnderTest(sandbox, tmp_path)
    yield under_test
    await under_test.clean()


@pytest.fixture
def secret(tmp_path: Path) -> Path:
    path = tmp_path / "reader.secret"
    path.write_text(f"{SECRET}\n")
    return path


def renew(text: str, *paths: Path) -> None:
    for path in paths:
        path.write_text(text)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@dataclass(frozen=True)
class Reader:
    """How `mendgate reader` is started, and where it listens."""

    cluster: ClusterUnderTest
    secret: Path
    port: int
    certificate: tuple[Path, Path] | None = None

    @property
    def url(self) -> str:
        return f"{'https' if self.certificate else 'http'}://localhost:{self.port}/mcp"

    @asynccontextmanager
    async def running(self) -> AsyncIterator[str]:
        """Run it in a process of its own; yield the URL once it listens."""
        pair = [str(path) for path in self.certificate or ("", "")]
        environment = {
            "PATH": os.environ["PATH"], "KUBECONFIG": str(self.cluster.reader_kubeconfig),
            "MENDGATE_READER_TOKEN_FILE": str(self.secret), "MENDGATE_PORT": str(self.port),
            "MENDGATE_TLS_CERT": pair[0], "MENDGATE_TLS_KEY": pair[1],
        }  # fmt: skip
        folder = self.secret.parent
        process = await asyncio.create_subprocess_exec(
            COMMAND, "reader", cwd=folder, env=environment, stdout=asyncio.subprocess.PIPE
        )
        try:
            assert process.stdout is not None
            said = await asyncio.wait_for(process.stdout.readline(), 90)
            assert b"listen on" in said
            await await_condition(self._answers, "the reader to answer")
            yield self.url
        finally:
            process.terminate()
            assert await asyncio.wait_for(process.wait(), 30) in {0, -signal.SIGTERM}

    async def _answers(self) -> bool | None:
        try:
            async with httpx.AsyncClient(verify=trusting(self.certificate), trust_env=False) as client:
                return (await client.get(self.url.replace("/mcp", "/healthz"))).is_success or None
        except httpx.TransportError:
            return None


def trusting(certificate: tuple[Path, Path] | None) -> ssl.SSLContext | bool:
    return ssl.create_default_context(cafile=certificate[0]) if certificate else True


@pytest.fixture
def reader(cluster: ClusterUnderTest, secret: Path) -> Reader:
    return Reader(cluster, secret, free_port())


def settings_of(cluster: ClusterUnderTest, secret: Path) -> Settings:
    return Settings(kubeconfig=cluster.reader_kubeconfig, reader_token_file=secret, port=free_port())


async def test_the_reading_tools_and_no_others_are_offered(reader: Reader) -> None:
    async with reader.running() as url, reader_over_http(url, reader.secret, None) as session:
        tools = await session.tools()
        answer = await session.call("kubectl_get", PODS)
        with pytest.raises(ToolServerError, match="no tool 'kubectl_patch'"):
            await session.call("kubectl_patch", {"resourceType": "deployment", "name": "web"})

    assert set(tools) == {"kubectl_get", "kubectl_describe", "kubectl_logs", "kubectl_rollout"}
    assert not answer.is_error


async def test_nobody_else_is_let_in(reader: Reader) -> None:
    call = {"jsonrpc": "2.0", "id": 1, "method": "tools/list"}
    wrong = ("", "Bearer", f"Basic {SECRET}", f"Bearer {SECRET[:-1]}", f"Bearer {SECRET}x", SECRET)

    async with reader.running() as url, httpx.AsyncClient() as client:
        answers = [await client.post(url, json=call, headers={"Authorization": one}) for one in wrong]
        answers += [await client.post(url, json=call), await client.post(url, content=b"{")]
        other_ways = [await client.request(method, url) for method in ("GET", "DELETE", "PUT")]

    assert {answer.status_code for answer in answers} == {401}
    assert {answer.status_code for answer in other_ways} == {405}


async def test_half_a_request_keeps_no_connection(reader: Reader) -> None:
    async with reader.running():
        incoming, outgoing = await asyncio.open_connection("localhost", reader.port)
        outgoing.write(b"POST /mcp HTTP/1.1\r\nHost: local")

        assert await asyncio.wait_for(incoming.read(), 60) == b""

        outgoing.close()


async def test_a_secret_that_was_renewed_on_both_sides_is_taken_up(reader: Reader, tmp_path: Path) -> None:
    secret, mine = reader.secret, tmp_path / "mine.secret"
    renew(SECRET, mine)

    async with reader.running() as url, reader_over_http(url, mine, None) as session:
        before = await session.call("kubectl_get", PODS)
        renew(SECRET[::-1], secret, mine)
        after = await session.call("kubectl_get", PODS)
        renew("too short", secret)
        async with httpx.AsyncClient(headers={"Authorization": "Bearer too short"}) as client:
            closed = await client.post(url, json={})

    assert not before.is_error
    assert not after.is_error
    assert closed.status_code == 503


async def test_a_reader_that_was_started_again_is_found_by_the_next_call(reader: Reader) -> None:
    async with reader_over_http(reader.url, reader.secret, None) as session:
        async with reader.running():
            first = await session.call("kubectl_get", PODS)
        waiting = asyncio.create_task(call_until_it_is_back(session))  # it is gone now
        async with reader.running():
            second = await waiting
            third = await session.call("kubectl_get", PODS)

    assert not any(answer.is_error for answer in (first, second, third))


async def call_until_it_is_back(session: ToolSession) -> ToolResult:
    async def probe() -> ToolResult | None:
        try:
            return await session.call("kubectl_get", PODS)
        except ToolServerError:
            return None

    return await await_condition(probe, "the reader to be back", 90)


async def test_no_proxy_is_shown_the_secret(reader: Reader, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")

    async with reader.running() as url, reader_over_http(url, reader.secret, None) as session:
        answer = await session.call("kubectl_get", PODS)

    assert not answer.is_error


async def test_a_wrong_secret_is_an_error_that_names_the_server(reader: Reader, tmp_path: Path) -> None:
    wrong = tmp_path / "wrong.secret"
    renew("x" * 40, wrong)

    async with reader.running() as url, impatient(reader_over_http(url, wrong, None)) as session:
        with pytest.raises(ToolServerError, match=r"localhost.*401"):
            await session.start()


def impatient(session: ToolSession) -> ToolSession:
    """Have a session give up at once; it would try for a while, as for a pod that is replaced."""
    session._pauses_seconds = (0.0,)
    return session


async def test_a_credential_that_can_write_is_refused(cluster: ClusterUnderTest, secret: Path) -> None:
    settings = settings_of(cluster, secret).model_copy(update={"kubeconfig": cluster.writer_kubeconfig})

    with pytest.raises(BadInput, match=r"isn't a reader's: it may .*patch"):
        await serve_reader(settings)


async def test_a_credential_that_nobody_can_be_asked_about_is_refused(
    cluster: ClusterUnderTest, secret: Path, tmp_path: Path
) -> None:
    document = yaml.safe_load(cluster.reader_kubeconfig.read_text())
    document["clusters"][0]["cluster"]["server"] = f"http://127.0.0.1:{free_port()}"
    nowhere = tmp_path / "nowhere"
    nowhere.write_text(yaml.safe_dump(document))
    settings = settings_of(cluster, secret).model_copy(update={"kubeconfig": nowhere})

    with pytest.raises(BadInput, match="whether the credential of KUBECONFIG can write couldn't be checked"):
        async with asyncio.timeout(60):
            await serve_reader(settings)


@pytest.mark.parametrize("content", [None, "", "short", "\N{SNOWMAN}" * 40, f"{SECRET}\n{SECRET}"])
async def test_a_secret_that_is_none_stops_both_sides(
    cluster: ClusterUnderTest, tmp_path: Path, content: str | None
) -> None:
    path = tmp_path / "none.secret"
    if content is not None:
        path.write_text(content)

    with pytest.raises(BadInput, match=r"none\.secret"):
        await serve_reader(settings_of(cluster, path))
    with pytest.raises(BadInput, match=r"none\.secret"):
        reader_over_http("http://localhost:9/mcp", path, None)


def issue(folder: Path) -> tuple[Path, Path]:
    certificate, key = folder / "tls.crt", folder / "tls.key"
    command = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 1"
    about = "-subj /CN=localhost -addext subjectAltName=DNS:localhost"
    files = f"-out {certificate} -keyout {key}"
    subprocess.run(f"{command} {about} {files}".split(), check=True, capture_output=True)
    return certificate, key


async def test_with_a_certificate_it_speaks_tls_and_is_trusted_by_the_authority_that_is_set(
    reader: Reader, tmp_path: Path
) -> None:
    certificate = issue(tmp_path)
    encrypted = replace(reader, certificate=certificate)

    async with encrypted.running() as url:
        async with reader_over_http(url, reader.secret, certificate[0]) as session:
            answer = await session.call("kubectl_get", PODS)
        async with impatient(reader_over_http(url, reader.secret, None)) as stranger:
            with pytest.raises(ToolServerError, match="certificate"):
                await stranger.start()

    assert url.startswith("https://")
    assert not answer.is_error


async def test_a_renewed_certificate_is_served_without_a_restart(tmp_path: Path) -> None:
    certificate, key = issue(tmp_path)
    settings = Settings(tls_cert=certificate, tls_key=key)

    async with certified(settings, look_seconds=0.02) as context:
        assert context is not None
        server = await asyncio.start_server(lambda _, writer: writer.close(), "localhost", 0, ssl=context)
        async with server:
            port = server.sockets[0].getsockname()[1]
            first = await asyncio.to_thread(fetch_certificate, port)
            issue(tmp_path)

            async def changed() -> bool | None:
                return await asyncio.to_thread(fetch_certificate, port) != first or None

            await await_condition(changed, "the new certificate")

    assert first


async def test_a_certificate_that_does_not_fit_its_key_leaves_the_one_before_in_use(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    certificate, key = issue(tmp_path)

    async with certified(Settings(tls_cert=certificate, tls_key=key), look_seconds=0.02) as context:
        assert context is not None
        server = await asyncio.start_server(lambda _, writer: writer.close(), "localhost", 0, ssl=context)
        async with server:
            port = server.sockets[0].getsockname()[1]
            first = await asyncio.to_thread(fetch_certificate, port)
            (tmp_path / "other").mkdir()
            other, _ = issue(tmp_path / "other")
            other.replace(certificate)

            async def noticed() -> bool | None:
                return "the certificate stays as it was" in caplog.text or None

            await await_condition(noticed, "the mistake to be logged")
            second = await asyncio.to_thread(fetch_certificate, port)

    assert second == first


def commands_below(pid: int) -> list[str]:
    """Return how each child of a process was started."""
    children = " ".join(path.read_text() for path in Path(f"/proc/{pid}/task").glob("*/children"))
    return [Path(f"/proc/{child}/cmdline").read_text() for child in children.split()]


def fetch_certificate(port: int) -> str:
    return ssl.get_server_certificate(("localhost", port))


async def test_half_a_certificate_is_refused(tmp_path: Path) -> None:
    certificate, key = issue(tmp_path)

    with pytest.raises(BadInput, match="belong together"):
        async with certified(Settings(tls_cert=certificate)):
            pass
    with pytest.raises(BadInput, match="can't be used"):
        async with certified(Settings(tls_cert=key, tls_key=certificate)):
            pass


async def test_an_incident_is_diagnosed_through_a_reader_that_is_replaced_meanwhile(
    reader: Reader, tmp_path: Path
) -> None:
    """The service's own credential is the writer's, as in a cluster: none of its children gets it."""
    cluster = reader.cluster
    name = cluster.unique("afar")
    await break_image(cluster, name)
    service = ServiceProcess(
        tmp_path, cluster.writer_kubeconfig, cluster.writer_kubeconfig,
        MENDGATE_READER_URL=reader.url, MENDGATE_READER_TOKEN_FILE=str(reader.secret),
    )  # fmt: skip
    await service.start()
    try:
        incident_id = await service.post_alert(body_for(name))  # nobody answers yet
        await service.wait_for(incident_id, "investigating")
        async with reader.running():
            approval = await service.pending_approval(incident_id)
        assert service.process is not None
        commands = commands_below(service.process.pid)
    finally:
        await service.stop()

    assert approval["status"] == "pending"
    assert [command for command in commands if "--role\0reader" in command] == []
