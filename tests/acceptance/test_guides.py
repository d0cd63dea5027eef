"""Every command in the README and the guides is run, in order, page by page.

The prepared folder looks like a clone. Around it are a sandbox cluster with a fault, ports that nobody else
has, and servers in the place of those that only a reader has.
"""

import asyncio
import contextlib
import json
import os
import shutil
import signal
import socket
import sys
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from api.cli.sandbox import ALERT
from tests.acceptance.guides import PAGES, ROOT, parse_blocks, read_blocks, write_script
from tests.acceptance.services import QUICK
from tests.integration.model_server import ScriptedModel, forever, says
from tests.issuer import run_provider
from tools.sandbox import SCENARIOS, SandboxCluster

if TYPE_CHECKING:
    from tests.databases import PostgresUnderTest

_LONGEST_SECONDS, _END_SECONDS = 400.0, 20.0
_REASONS = frozenset(
    {
        "needs a cluster of yours",
        "needs channels of yours",
        "needs Docker",
        "it takes minutes, and tests/acceptance/test_evaluation.py plays three",
        "tests/acceptance/test_studio.py does the same",
    }
)
_MOST_NOT_RUN = 19
_MODEL = "https://api.deepseek.com"
_ISSUER = "https://login.example.com/realms/ops"
_DATABASE = "postgresql://mendgate:PASSWORD@db.example:5432/mendgate?sslmode=verify-full"
_WITH_COMMANDS = [
    page for page in PAGES if any(block.is_command and block.not_run is None for block in read_blocks(page))
]
_PROGRAMS = ("curl", "amtool", "prometheus-alertmanager", "openssl")
_NOT_IN_A_CLONE = ("*.db*", "*.kubeconfig", "mendgate-*", "mendgate.env", ".venv")
_BIN = Path(sys.executable).parent


def test_every_block_says_what_it_is() -> None:
    """Else a command could hide in one, and nobody would run it."""
    assert [block.place for page in PAGES for block in read_blocks(page) if not block.language] == []


def test_what_is_not_run_is_little_and_has_a_reviewed_reason() -> None:
    commands = [block for page in PAGES for block in read_blocks(page) if block.is_command]
    reasons = [block.not_run for block in commands if block.not_run is not None]

    assert set(reasons) == _REASONS
    assert len(reasons) <= _MOST_NOT_RUN


@pytest.fixture
def database(page: Path, request: pytest.FixtureRequest) -> Iterator[str]:
    """Return the URL of an empty Postgres database for a page that names one, else nothing."""
    if _DATABASE not in page.read_text():
        yield ""
        return
    postgres: PostgresUnderTest = request.getfixturevalue("postgres")
    with postgres.empty_database() as url:
        yield url


@pytest.mark.parametrize("page", _WITH_COMMANDS, ids=lambda page: page.stem)
async def test_every_command_of_a_page_runs(page: Path, database: str, tmp_path: Path) -> None:
    blocks = read_blocks(page)
    script = write_script(blocks)
    _require(*(program for program in _PROGRAMS if f"{program} " in script))
    async with AsyncExitStack() as stack:
        cluster = await stack.enter_async_context(SandboxCluster())
        pods = await cluster.break_as(SCENARIOS["image-pull"])
        service, alertmanager = _free_port(), _free_port()
        script = await _replace(script, _MODEL, stack, _open_model)
        script = await _replace(script, _ISSUER, stack, _open_issuer)
        script = script.replace(_DATABASE, database)
        script = script.replace("127.0.0.1:10000", f"127.0.0.1:{service}")
        script = script.replace("127.0.0.1:9093", f"127.0.0.1:{alertmanager}")
        environment = _environment(tmp_path, *cluster.write_kubeconfigs(tmp_path), service)
        clone = _make_clone(tmp_path / "clone")
        (clone / ALERT).write_text(json.dumps(SCENARIOS["image-pull"].alert_body(pods)))
        code, said = await _run(script, clone, environment)

    assert code == 0, said[-6000:]


async def _replace(
    script: str, name: str, stack: AsyncExitStack, opening: Callable[[], AbstractAsyncContextManager[str]]
) -> str:
    """Put a server of ours in the place of one that only a reader has."""
    return script.replace(name, await stack.enter_async_context(opening())) if name in script else script


@asynccontextmanager
async def _open_model() -> AsyncIterator[str]:
    async with ScriptedModel([forever(says("Hello."))]) as model:
        yield model.base_url


@asynccontextmanager
async def _open_issuer() -> AsyncIterator[str]:
    async with run_provider() as provider:
        yield provider.url


def test_a_block_is_read_with_its_place_and_what_the_comments_say() -> None:
    text = "1. Do\n\n   <!-- not run: why -->\n   ```sh\n   one\n   ```\n\n```console\n$ two\nsaid\n```\n"

    one, two = parse_blocks("page.md", text)

    assert (one.not_run, one.text, one.place) == ("why", "one\n", "page.md:4")
    assert (two.not_run, two.language) == (None, "console")
    script = write_script([one, two]).splitlines()
    assert ("one" in script, "two" in script, "said" in script) == (False, True, False)


@pytest.mark.parametrize(
    ("page", "fails"),
    [
        ("```sh\ntrue\n```", False),
        ("```sh\nfalse\ntrue\n```", True),
        ("```sh\nfalse | cat\n```", True),
        ("```sh\necho $nobody_set_this\n```", True),
        ("```sh\nexport said=yes\n```\n```sh\n[ $said = yes ]\n```", False),
        ("<!-- exits: 1 -->\n```sh\nfalse\n```", False),
        ("<!-- exits: 1 -->\n```sh\ntrue\n```", True),
        ("<!-- saved as: a -->\n```yaml\nb: 1\n```\n```sh\ngrep 'b: 1' a\n```", False),
        ("<!-- runs on: ready -->\n```sh\necho ready; sleep 600\n```", False),
        ("<!-- runs on: ready -->\n```sh\necho dead\n```", True),
        ("<!-- in a while -->\n```sh\necho x >> a; [ $(wc -l < a) = 3 ]\n```", False),
        ("```sh\nread -r answer; [ $answer = y ]\n```", False),
    ],
)
async def test_a_page_fails_where_a_command_does(page: str, fails: bool, tmp_path: Path) -> None:
    script = write_script([*parse_blocks("page.md", page)])
    (tmp_path / "folder").mkdir()

    code, said = await _run(script, tmp_path / "folder", {"PATH": os.environ["PATH"]})

    assert (code != 0) is fails, said


async def test_what_a_page_has_started_ends_with_it(tmp_path: Path) -> None:
    page = "<!-- runs on: ready -->\n```sh\necho $$ > session; echo ready; sleep 600\n```"
    (tmp_path / "folder").mkdir()

    code, said = await _run(write_script([*parse_blocks("page.md", page)]), tmp_path / "folder", os.environ)

    assert code == 0, said
    assert not _runs(int((tmp_path / "folder" / "session").read_text()))


def _require(*programs: str) -> None:
    missing = [name for name in programs if shutil.which(name) is None]
    if missing and os.environ.get("MENDGATE_TEST_REQUIRE_ALERTMANAGER"):
        pytest.fail(f"not installed: {', '.join(missing)}")
    if missing:
        pytest.skip(f"not installed: {', '.join(missing)}")


def _make_clone(folder: Path) -> Path:
    """Make a folder that looks like a clone after `make install`, and keeps what a page leaves behind."""
    folder.mkdir()
    for path in ROOT.iterdir():
        if not any(path.match(pattern) for pattern in _NOT_IN_A_CLONE):
            (folder / path.name).symlink_to(path)
    (folder / ".venv").symlink_to(_BIN.parent)
    (folder.parent / ".curlrc").write_text("fail-with-body\nsilent\nshow-error\n")  # a refusal fails the page
    return folder


def _environment(folder: Path, reader: Path, writer: Path, port: str) -> Mapping[str, str]:
    (folder / "quick.yaml").write_text(QUICK)
    return {
        "PATH": f"{_BIN}:{os.environ['PATH']}",
        "HOME": str(folder),
        "TZ": "UTC",
        "KUBECONFIG": str(reader),
        "MENDGATE_WRITE_KUBECONFIG": str(writer),
        "MENDGATE_POLICY": str(folder / "quick.yaml"),
        "MENDGATE_PORT": port,
        "MENDGATE_URL": f"http://127.0.0.1:{port}",
    }


async def _run(script: str, folder: Path, environment: Mapping[str, str]) -> tuple[int, str]:
    path, log = folder.parent / "page.sh", folder.parent / "page.log"
    path.write_text(script)
    with log.open("wb") as output:
        process = await asyncio.create_subprocess_exec(
            "bash", str(path), cwd=folder, env=dict(environment),
            stdin=asyncio.subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True,
        )  # fmt: skip
    try:
        code = await asyncio.wait_for(process.wait(), _LONGEST_SECONDS)
    except TimeoutError:
        code = -1
    finally:
        await _end_session(process.pid)
        await process.wait()
    return code, log.read_text()


async def _end_session(session: int) -> None:
    """End whatever a page has started and left running: at first as an init system would."""
    deadline = asyncio.get_running_loop().time() + _END_SECONDS
    _signal(session, signal.SIGTERM)
    while _runs(session) and asyncio.get_running_loop().time() < deadline:  # noqa: ASYNC110 -- nothing to await
        await asyncio.sleep(0.05)
    _signal(session, signal.SIGKILL)


def _signal(session: int, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(session, number)


def _runs(session: int) -> bool:
    """Whether some process of a session has yet to end."""
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):  # it has ended meanwhile
            state, _parent, _group, its_session, *_ = stat.read_text().rpartition(")")[2].split()
            if int(its_session) == session and state != "Z":
                return True
    return False


def _free_port() -> str:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return str(listener.getsockname()[1])
