"""Where a scenario is played: in the sandbox cluster, or on one that stands still as it was recorded."""

import asyncio
import time
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from bench.eval.manifests import NAMESPACE, WORKLOADS, complete, reference
from bench.eval.scenario import Change, Image, Object, Scenario, Venue
from bench.eval.snapshots import Snapshot, is_ready
from tools.errors import MendgateError
from tools.kubernetes.resource_types import KINDS
from tools.sandbox import CURRENT, OLDER, SandboxCluster, SandboxTiming
from tools.sandbox.api_server.images import KNOWN_IMAGES, Catalogue, Death, ImageRule, parse_reference
from tools.sandbox.api_server.patching.strategic_merge import apply_strategic_patch

_PATIENCE_SECONDS = 60.0
_SOAK_SECONDS = 2.0


class StageFailed(MendgateError):
    """The cluster doesn't play what the scenario asks for: that says nothing about mendgate."""


@dataclass(frozen=True)
class Health:
    """Whether everything that must be well was so at every look; `why` not."""

    is_healthy: bool
    why: str = ""


class Stage(ABC):
    """A cluster with a scenario on it, looked at and meddled with from outside of mendgate."""

    venue: ClassVar[Venue]
    poll_seconds = 0.1

    def __init__(self, reader: Path, writer: Path) -> None:
        self.reader = reader
        self.writer = writer
        self._soak_seconds = _SOAK_SECONDS

    @abstractmethod
    async def apply(self, manifest: Object) -> None:
        """Create an object, or replace its specification."""

    @abstractmethod
    async def change(self, change: Change) -> None:
        """Do to an object what somebody does."""

    @abstractmethod
    async def look(self) -> Snapshot:
        """Return the cluster as it is now."""

    def lose_images(self, images: Sequence[str]) -> None:
        """Let the registries lose images."""
        raise StageFailed(f"the registries of a {self.venue} can't lose {', '.join(images)}")

    async def prepare(self, scenario: Scenario) -> None:
        """Apply the objects, await that the workloads are well, do the fault, and await that it shows."""
        self._soak_seconds += scenario.lives_seconds or 0.0  # what crashes in between must be seen to do so
        manifests = [complete(one) for one in scenario.objects]
        for manifest in manifests:
            await self.apply(manifest)
        if scenario.fault and not scenario.ill_at_first:
            await self.await_health([reference(one) for one in manifests if one["kind"] in WORKLOADS])
        for change in scenario.fault:
            await self.change(change)
        names = tuple(one["metadata"]["name"] for one in manifests)
        await self._until(
            lambda now: all(now.shows(reason, names) for reason in scenario.shows), ", ".join(scenario.shows)
        )

    async def pods_of(self, workload: str) -> list[str]:
        """Return the names of a workload's pods that aren't well, or of all if all are."""
        now = await self.look()
        pods = now.pods_of(now.objects[workload])
        ill = [pod for pod in pods if not is_ready(pod)]
        return [pod["metadata"]["name"] for pod in ill or pods]

    async def await_health(self, refs: Sequence[str]) -> None:
        """Wait until objects are well."""
        await self._until(
            lambda now: not any(map(now.explain_illness, refs)), f"{', '.join(refs)} to be well"
        )

    async def judge_health(self, refs: Sequence[str]) -> Health:
        """Look for a while whether objects are well, and stay so."""
        first = await self.look()
        deadline = time.monotonic() + self._soak_seconds
        now = first
        while True:
            for ref in refs:
                if why := now.explain_illness(ref) or _explain_restarts(first, now, ref):
                    return Health(is_healthy=False, why=why)
            if time.monotonic() > deadline:
                return Health(is_healthy=True)
            await asyncio.sleep(self.poll_seconds)
            now = await self.look()

    async def _until(self, condition: Callable[[Snapshot], bool], what: str) -> None:
        deadline = time.monotonic() + _PATIENCE_SECONDS
        while not condition(await self.look()):
            if time.monotonic() > deadline:
                raise StageFailed(f"the {self.venue} was awaited for {_PATIENCE_SECONDS:g} s: {what}")
            await asyncio.sleep(self.poll_seconds)


class SandboxStage(Stage):
    """The sandbox cluster, alive."""

    venue: ClassVar[Venue] = "sandbox"

    def __init__(self, cluster: SandboxCluster, catalogue: Catalogue, folder: Path) -> None:
        self._cluster = cluster
        self._catalogue = catalogue
        super().__init__(*cluster.write_kubeconfigs(folder))

    async def apply(self, manifest: Object) -> None:
        """Put an object in."""
        self._cluster.apply(manifest)

    async def change(self, change: Change) -> None:
        """Patch an object, or delete it."""
        if change.delete:
            self._cluster.delete(change.kind, change.name)
            return
        current = self._cluster.find(change.kind, change.name)
        if current is None:
            raise StageFailed(f"there is no {change.kind} {change.name} to change")
        self._cluster.apply(apply_strategic_patch(change.kind, current, change.patch or {}))

    async def look(self) -> Snapshot:
        """Return all objects."""
        return Snapshot.of(
            one
            for kind in KINDS
            for one in self._cluster.select(kind.kind, NAMESPACE if kind.namespaced else None)
        )

    def lose_images(self, images: Sequence[str]) -> None:
        """Take tags out of the catalogue."""
        for image in images:
            reference = parse_reference(image)
            assert reference is not None, image
            rule = self._catalogue.images[reference.short]
            self._catalogue.images[reference.short] = ImageRule(
                rule.tags - {reference.tag}, rule.ports, rule.logs, rule.paths, rule.deaths
            )


@asynccontextmanager
async def open_sandbox(scenario: Scenario, folder: Path) -> AsyncIterator[Stage]:
    """Open a sandbox cluster with the scenario's images."""
    images = {name: _rule(image) for name, image in scenario.images.items()}
    catalogue = Catalogue({**KNOWN_IMAGES.images, **images})
    pace = SandboxTiming(crash=scenario.lives_seconds) if scenario.lives_seconds else SandboxTiming()
    age = OLDER if scenario.kubelet == "older" else CURRENT
    async with SandboxCluster(catalogue=catalogue, pace=pace, age=age) as cluster:
        stage = SandboxStage(cluster, catalogue, folder)
        await stage.prepare(scenario)
        yield stage


def _rule(image: Image) -> ImageRule:
    return ImageRule(
        frozenset(image.tags),
        frozenset(image.ports),
        image.logs,
        frozenset(image.paths),
        tuple(Death(**death.model_dump()) for death in image.deaths),
    )


def _explain_restarts(first: Snapshot, now: Snapshot, ref: str) -> str:
    before = first.restarts_of(ref)
    risen = [name for name, count in now.restarts_of(ref).items() if count > before.get(name, count)]
    return f"{ref}: {len(risen)} containers were restarted meanwhile" if risen else ""
