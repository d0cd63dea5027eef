"""A real API server as a stage, with an administrator's credential of its own."""

import asyncio
import base64
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import httpx
import yaml

from bench.eval.manifests import NAMESPACE, reference
from bench.eval.scenario import Change, Object, Scenario, Venue
from bench.eval.snapshots import Snapshot
from bench.eval.stages import Stage, StageFailed
from tools.kubernetes.resource_types import KINDS, Kind, find_kind

_STRATEGIC = {"content-type": "application/strategic-merge-patch+json"}
_MERGE = {"content-type": "application/merge-patch+json"}
_BACKGROUND = {"propagationPolicy": "Background"}


@dataclass(frozen=True)
class Credentials:
    """The kubeconfigs of an administrator, of the service's reader and of its writer."""

    admin: Path
    reader: Path
    writer: Path


class ClusterStage(Stage):
    """A real cluster's namespace `default`. What was applied is removed at the end."""

    venue: ClassVar[Venue] = "cluster"
    poll_seconds = 1.0

    def __init__(self, client: httpx.AsyncClient, credentials: Credentials) -> None:
        self._client = client
        self._applied: list[Object] = []
        super().__init__(credentials.reader, credentials.writer)

    async def apply(self, manifest: Object) -> None:
        """Create an object, or merge it into what is there."""
        kind, name = find_kind(manifest["kind"]), manifest["metadata"]["name"]
        self._applied.append(manifest)
        answer = await self._client.post(kind.path(NAMESPACE), json=manifest)
        if answer.status_code == httpx.codes.CONFLICT:
            path = kind.path(NAMESPACE, name)
            answer = await self._client.patch(path, json=manifest, headers=_MERGE)
        _require_taken(answer, reference(manifest))

    async def change(self, change: Change) -> None:
        """Patch an object, or delete it."""
        path = find_kind(change.kind).path(NAMESPACE, change.name)
        if change.delete:
            answer = await self._client.delete(path, params=_BACKGROUND)
        else:
            answer = await self._client.patch(path, json=change.patch, headers=_STRATEGIC)
        _require_taken(answer, f"{change.kind}/{change.name}")

    async def look(self) -> Snapshot:
        """Return all objects of the kinds that this server knows."""
        lists = await asyncio.gather(*(self._list(kind) for kind in KINDS))
        return Snapshot.of(one for found in lists for one in found)

    async def clean(self) -> None:
        """Remove what was applied, wait until its pods are gone, and forget what was said about them."""
        names = tuple(one["metadata"]["name"] for one in self._applied)
        for manifest in reversed(self._applied):
            path = find_kind(manifest["kind"]).path(NAMESPACE, manifest["metadata"]["name"])
            await self._client.delete(path, params=_BACKGROUND)
        await self._until(
            lambda now: not any(one["metadata"]["name"].startswith(names) for one in now.of_kind("Pod")),
            "the pods to be gone",
        )
        events = find_kind("event")
        for event in (await self.look()).of_kind("Event"):
            if event["involvedObject"]["name"].startswith(names):
                await self._client.delete(events.path(NAMESPACE, event["metadata"]["name"]))

    async def _list(self, kind: Kind) -> list[Object]:
        answer = await self._client.get(kind.path(NAMESPACE))
        if answer.status_code == httpx.codes.NOT_FOUND:
            return []  # an older server than the table of kinds
        _require_taken(answer, kind.plural)
        return [{"kind": kind.kind, "apiVersion": kind.api_version, **one} for one in answer.json()["items"]]


class ClusterDoor:
    """Opens one stage at a time: all share the namespace."""

    def __init__(self, credentials: Credentials) -> None:
        self._credentials = credentials
        self._lock = asyncio.Lock()

    @asynccontextmanager
    async def open(self, scenario: Scenario, _folder: Path) -> AsyncIterator[Stage]:
        """Open the cluster with a scenario on it, and clean up behind it."""
        async with self._lock, _open_client(self._credentials.admin) as client:
            stage = ClusterStage(client, self._credentials)
            try:
                try:
                    await stage.prepare(scenario)
                    yield stage
                finally:
                    await stage.clean()
            except httpx.TransportError as error:
                raise StageFailed(f"the cluster doesn't answer: {error!r}") from error


def _open_client(kubeconfig: Path) -> httpx.AsyncClient:
    document = yaml.safe_load(kubeconfig.read_text(encoding="utf-8"))
    cluster, user = document["clusters"][0]["cluster"], document["users"][0]["user"]
    authority = base64.b64decode(cluster["certificate-authority-data"]).decode()
    headers = {"Authorization": f"Bearer {user['token']}"}
    trust = ssl.create_default_context(cadata=authority)
    return httpx.AsyncClient(base_url=cluster["server"], headers=headers, verify=trust, timeout=60)


def _require_taken(answer: httpx.Response, what: str) -> None:
    if answer.is_error:
        raise StageFailed(f"the cluster refuses {what}: {answer.text[:300]}")
