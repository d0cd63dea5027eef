"""One face for the two clusters that tests run on: the embedded sandbox and a real Kubernetes API server."""

import asyncio
import base64
import os
import ssl
import time
import uuid
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, TypeVar

import httpx
import yaml

from tools.kubernetes.resource_types import find_kind
from tools.sandbox import SandboxCluster

Object = dict[str, Any]
T = TypeVar("T")
REAL_KUBECONFIGS = (
    "MENDGATE_TEST_ADMIN_KUBECONFIG",
    "MENDGATE_TEST_READER_KUBECONFIG",
    "MENDGATE_TEST_WRITER_KUBECONFIG",
)


def open_client(kubeconfig: Path, *, token: str | None = None) -> httpx.AsyncClient:
    """Return an HTTP client with a kubeconfig's credential; `token` replaces its own, "" sends none."""
    document = yaml.safe_load(kubeconfig.read_text(encoding="utf-8"))
    cluster, user = document["clusters"][0]["cluster"], document["users"][0]["user"]
    authority = cluster.get("certificate-authority-data")
    trust: ssl.SSLContext | bool = False
    if authority is not None:
        trust = ssl.create_default_context(cadata=base64.b64decode(authority).decode())
    bearer = user["token"] if token is None else token
    headers = {"Authorization": f"Bearer {bearer}"} if bearer else {}
    return httpx.AsyncClient(base_url=cluster["server"], headers=headers, verify=trust, timeout=60)


async def await_condition(probe: Callable[[], Awaitable[T | None]], what: str, seconds: float = 30) -> T:
    """Return the first result of `probe` that isn't None; fail with its name after so many seconds."""
    deadline = time.monotonic() + seconds
    while (found := await probe()) is None:
        assert time.monotonic() < deadline, f"waited {seconds} s in vain for {what}"
        await asyncio.sleep(0.05)
    return found


class ClusterUnderTest(ABC):
    """A cluster that a test may put objects into. Objects applied here are removed after the test."""

    def __init__(self, reader_kubeconfig: Path, writer_kubeconfig: Path) -> None:
        self.reader_kubeconfig = reader_kubeconfig
        self.writer_kubeconfig = writer_kubeconfig
        self.reader = open_client(reader_kubeconfig)
        self.writer = open_client(writer_kubeconfig)
        self._applied: list[Object] = []

    @abstractmethod
    async def delete(self, kind: str, name: str, namespace: str = "default") -> None:
        """Delete an object as an administrator; nothing happens if there is none."""

    @abstractmethod
    async def _apply(self, manifest: Object) -> Object: ...

    async def apply(self, manifest: Object) -> Object:
        """Create or update an object as an administrator, and return it as the server stored it."""
        self._applied.append(manifest)
        return await self._apply(manifest)

    def unique(self, name: str) -> str:
        """Return a name that no other test uses."""
        return f"{name}-{uuid.uuid4().hex[:6]}"

    async def clean(self) -> None:
        """Remove what was applied, and close the clients."""
        for manifest in reversed(self._applied):
            metadata = manifest["metadata"]
            await self.delete(manifest["kind"], metadata["name"], metadata.get("namespace", "default"))
        await self.reader.aclose()
        await self.writer.aclose()


class SandboxUnderTest(ClusterUnderTest):
    """The sandbox: objects go in through Python."""

    def __init__(self, sandbox: SandboxCluster, folder: Path) -> None:
        self.sandbox = sandbox
        super().__init__(*sandbox.write_kubeconfigs(folder))

    async def _apply(self, manifest: Object) -> Object:
        return self.sandbox.apply(manifest)

    async def delete(self, kind: str, name: str, namespace: str = "default") -> None:
        """Delete an object."""
        self.sandbox.delete(kind, name, namespace)


class RealUnderTest(ClusterUnderTest):
    """A real API server: objects go in with an administrator's credential."""

    def __init__(self) -> None:
        admin, reader, writer = (Path(os.environ[name]) for name in REAL_KUBECONFIGS)
        self._admin = open_client(admin)
        super().__init__(reader, writer)

    async def _apply(self, manifest: Object) -> Object:
        kind, metadata = find_kind(manifest["kind"]), manifest["metadata"]
        namespace = metadata.get("namespace", "default")
        answer = await self._admin.post(kind.path(namespace), json=manifest)
        if answer.status_code == httpx.codes.CONFLICT:
            path = kind.path(namespace, metadata["name"])
            headers = {"content-type": "application/merge-patch+json"}
            answer = await self._admin.patch(path, json=manifest, headers=headers)
        answer.raise_for_status()
        stored: Object = answer.json()
        return stored

    async def delete(self, kind: str, name: str, namespace: str = "default") -> None:
        """Delete an object; what it owns goes in the background."""
        path = find_kind(kind).path(namespace, name)
        await self._admin.delete(path, params={"propagationPolicy": "Background"})

    async def clean(self) -> None:
        """Remove what was applied, and close all clients."""
        await super().clean()
        await self._admin.aclose()
