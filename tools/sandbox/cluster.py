"""The sandbox cluster: an in-process imitation of the part of Kubernetes that mendgate touches.

It exists for `make demo` and for fast tests, and it is a sandbox: nothing runs, no second controller-manager
hides here. What it does it does as a real API server does; contract tests hold both to the same assertions.
"""

import asyncio
import contextlib
import random
import secrets
import socket
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

from tools.errors import ClusterUnreachable
from tools.kubernetes.resource_types import find_kind
from tools.sandbox.api_server.access import READER, WRITER, Access
from tools.sandbox.api_server.images import KNOWN_IMAGES, Catalogue
from tools.sandbox.api_server.kubelet_age import CURRENT, KubeletAge
from tools.sandbox.api_server.store import Object, Store
from tools.sandbox.api_server.writes import Writer, WriteRecord
from tools.sandbox.controllers.simulation import Simulation
from tools.sandbox.controllers.timing import SandboxTiming
from tools.sandbox.kubeconfig import write_kubeconfig
from tools.sandbox.scenarios import Scenario

if TYPE_CHECKING:
    import uvicorn
    from starlette.middleware import Middleware

_FAULT_DEADLINE_SECONDS = 30.0
_POLL_SECONDS = 0.02


class SandboxCluster:
    """`async with SandboxCluster() as cluster:` serves until the block ends.

    `port` 0 takes any free port and keeps it: a cluster that is entered again comes back where it was, with
    its objects. Tokens left out are made up. `middleware` wraps the HTTP application, so that a test can
    lose, delay or falsify answers. Nothing moves in a cluster that is `still`: no controller runs, and
    objects stay as they were put in, status and all. `age` is how old its kubelets and API server are.
    """

    def __init__(  # noqa: PLR0913 - each is one choice of a demo or a test, all by name
        self,
        *,
        port: int = 0,
        reader_token: str | None = None,
        writer_token: str | None = None,
        pace: SandboxTiming | None = None,
        catalogue: Catalogue = KNOWN_IMAGES,
        middleware: Sequence["Middleware"] = (),
        still: bool = False,
        age: KubeletAge = CURRENT,
    ) -> None:
        self.port = port
        self._still = still
        self._age = age
        self.reader_token = reader_token or secrets.token_urlsafe(24)
        self.writer_token = writer_token or secrets.token_urlsafe(24)
        self._middleware = tuple(middleware)
        self._store = Store()
        self._writer = Writer(self._store)
        self._simulation = Simulation(
            self._store,
            pace or SandboxTiming(),
            catalogue,
            time.monotonic,
            random.Random(),  # noqa: S311 - pod names
            age=age,
        )
        self._server: uvicorn.Server | None = None
        self._tasks: list[asyncio.Task[None]] = []

    @property
    def url(self) -> str:
        """Return the API server's address."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def writes(self) -> list[WriteRecord]:
        """Return the accepted patches, oldest first: no dry-runs, and nothing that this class put in."""
        return self._writer.records

    async def __aenter__(self) -> Self:
        listener = _listen(self.port)
        self.port = listener.getsockname()[1]
        self._server = self._new_server()
        self._tasks = [
            asyncio.create_task(self._server.serve(sockets=[listener]), name="sandbox-api"),
            *(
                []
                if self._still
                else [asyncio.create_task(self._simulation.run(), name="sandbox-controllers")]
            ),
        ]
        while not self._server.started:
            if self._tasks[0].done():
                await self._stop()
                raise ClusterUnreachable(f"the sandbox cluster's server didn't start on {self.url}")
            await asyncio.sleep(_POLL_SECONDS)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._stop()

    def apply(self, manifest: Object) -> Object:
        """Create or replace an object as an administrator would, and return it as stored.

        Raises UnknownKind, and Refusal for an object that a real server wouldn't take.
        """
        return self._writer.apply(find_kind(manifest["kind"]), manifest)

    def delete(self, kind: str, name: str, namespace: str = "default") -> bool:
        """Delete an object and, in time, what it owns; False if there was none."""
        found = find_kind(kind)
        return self._store.remove(found.kind, namespace if found.namespaced else "", name)

    def find(self, kind: str, name: str, namespace: str = "default") -> Object | None:
        """Return an object as stored, or None."""
        found = find_kind(kind)
        return self._store.find(found.kind, namespace if found.namespaced else "", name)

    def select(self, kind: str, namespace: str | None = None) -> list[Object]:
        """Return all objects of a kind; namespace None means every namespace."""
        return self._store.select(find_kind(kind).kind, namespace)

    def write_kubeconfigs(self, folder: Path) -> tuple[Path, Path]:
        """Write the reader's and the writer's kubeconfig (mode 0600) and return their paths."""
        reader = write_kubeconfig(folder / "sandbox-reader.kubeconfig", self.url, READER, self.reader_token)
        writer = write_kubeconfig(folder / "sandbox-writer.kubeconfig", self.url, WRITER, self.writer_token)
        return reader, writer

    async def break_as(self, scenario: Scenario) -> list[Object]:
        """Set a scenario up and break it; return the broken pods once the fault shows in their states."""
        for manifest in scenario.healthy:
            self.apply(manifest)
        if scenario.healthy:
            await self._until(
                lambda: scenario.is_healthy(self._pods(scenario)), f"{scenario.name} to be healthy"
            )
        for manifest in scenario.broken:
            self.apply(manifest)
        await self._until(lambda: scenario.is_broken(self._pods(scenario)), f"{scenario.name} to break")
        return self._pods(scenario)

    def _pods(self, scenario: Scenario) -> list[Object]:
        return [pod for pod in self._store.select("Pod", scenario.namespace) if scenario.owns(pod)]

    async def _until(self, condition: Callable[[], bool], what: str) -> None:
        deadline = time.monotonic() + _FAULT_DEADLINE_SECONDS
        while not condition():
            if time.monotonic() > deadline:
                raise ClusterUnreachable(
                    f"the sandbox waited {_FAULT_DEADLINE_SECONDS:.0f} s for {what}: is the cluster entered?"
                )
            await asyncio.sleep(_POLL_SECONDS)

    def _new_server(self) -> "uvicorn.Server":
        import uvicorn

        from tools.sandbox.controllers.logs import LogReader
        from tools.sandbox.rest import ApiServer

        access = Access(self.reader_token, self.writer_token)
        logs = LogReader(self._store, self._simulation.kubelet)
        app = ApiServer(self._store, access, self._writer, logs, self._age).application(self._middleware)
        config = uvicorn.Config(
            app, log_config=None, access_log=False, lifespan="off", timeout_graceful_shutdown=1
        )
        server = uvicorn.Server(config)
        # The process's signals belong to whoever runs this loop, not to a server inside it.
        server.capture_signals = _leave_signals_alone  # type: ignore[method-assign]  # uvicorn has no option
        return server

    async def _stop(self) -> None:
        if self._server is not None:
            self._server.should_exit = True
        for task in self._tasks[1:]:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._tasks = []


@contextlib.contextmanager
def _leave_signals_alone() -> Iterator[None]:
    yield


def _listen(port: int) -> socket.socket:
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind(("127.0.0.1", port))
    except OSError as error:
        listener.close()
        raise ClusterUnreachable(
            f"the sandbox cluster can't listen on 127.0.0.1:{port} ({error.strerror}): choose another port"
        ) from error
    return listener
