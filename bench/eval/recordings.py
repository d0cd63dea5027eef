"""A cluster that stands still as it was recorded: for faults that the sandbox can't bring about.

It serves the scenario's objects with their status, its events and its logs through the sandbox's API. So
mendgate can diagnose, propose and preview; whether a change would help can't be seen there.
"""

import re
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from bench.eval.manifests import complete
from bench.eval.scenario import Object, Scenario
from bench.eval.stages import SandboxStage, Stage, StageFailed
from tools.sandbox import SandboxCluster
from tools.sandbox.api_server.images import KNOWN_IMAGES
from tools.sandbox.api_server.store import timestamp

_LOG = re.compile(r"/api/v1/namespaces/[^/]+/pods/(?P<pod>[^/]+)/log")


class RecordedStage(SandboxStage):
    """The sandbox's API before objects that don't move."""

    venue = "recorded"

    async def prepare(self, scenario: Scenario) -> None:
        """Put in all objects as they were recorded; `owner` and `about` name another one."""
        for short in (*scenario.objects, *scenario.recorded):
            await self.apply(self._connect(_dated(short)))

    def _connect(self, short: Object) -> Object:
        owner, about = short.pop("owner", None), short.pop("about", None)
        if short["kind"] == "Event":
            short = {"type": "Warning", "count": 3, "lastTimestamp": timestamp(), **short}
            short.setdefault("name", f"event-{len(self._cluster.select('Event')) + 1}")
            short["firstTimestamp"] = short["lastTimestamp"]
            short["involvedObject"] = self._refer(about)
        manifest = complete(short)
        if owner:
            manifest["metadata"]["ownerReferences"] = [{**self._refer(owner), "controller": True}]
        return manifest

    def _refer(self, ref: str) -> Object:
        kind, _, name = ref.partition("/")
        found = self._cluster.find(kind, name)
        if found is None:
            raise StageFailed(f"{ref} must be recorded before what it owns and what is said about it")
        metadata = found["metadata"]
        place = {"namespace": metadata["namespace"]} if "namespace" in metadata else {}
        return {
            "apiVersion": found["apiVersion"],
            "kind": kind,
            "name": name,
            "uid": metadata["uid"],
            **place,
        }


@asynccontextmanager
async def open_recording(scenario: Scenario, folder: Path) -> AsyncIterator[Stage]:
    """Open a cluster that shows what a scenario has recorded."""
    around = Middleware(_Logs, logs=scenario.logs, previous=scenario.previous_logs, lost=scenario.lost_logs)
    async with SandboxCluster(still=True, middleware=[around]) as cluster:
        stage = RecordedStage(cluster, KNOWN_IMAGES, folder)
        await stage.prepare(scenario)
        yield stage


class _Logs:
    """ASGI middleware that answers for the logs of pods."""

    def __init__(
        self, app: ASGIApp, logs: Mapping[str, str], previous: Mapping[str, str], lost: Mapping[str, str]
    ) -> None:
        self._app = app
        self._logs = logs
        self._previous = previous
        self._lost = lost

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        match = _LOG.fullmatch(scope.get("path", ""))
        if match is None:
            await self._app(scope, receive, send)
            return
        query = Request(scope).query_params
        container = query.get("container", "")
        why = _find(self._lost, match["pod"], container)
        before = _find(self._previous, match["pod"], container) if query.get("previous") == "true" else ""
        text = before or _find(self._logs, match["pod"], container)
        answer = _refuse(why) if why else PlainTextResponse(text)
        await answer(scope, receive, send)


def _find(texts: Mapping[str, str], pod: str, container: str) -> str:
    return next((text for place, text in texts.items() if _is_of(place, pod, container)), "")


def _refuse(why: str) -> Response:
    """Answer as the API server does that gets no answer from a kubelet."""
    status = {"kind": "Status", "apiVersion": "v1", "status": "Failure", "message": why, "code": 500}
    return JSONResponse(status, 500)


def _is_of(place: str, pod: str, container: str) -> bool:
    named, _, inside = place.partition("/")
    return named == pod and container in {"", inside}


def _dated(value: Any) -> Any:
    """Return a recorded value with the present for `now`: what is long past says little about an alert."""
    if isinstance(value, dict):
        return {key: _dated(child) for key, child in value.items()}
    if isinstance(value, list):
        return [_dated(child) for child in value]
    return timestamp() if value == "$now" else value
