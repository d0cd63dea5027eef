"""Alertmanagers for tests: the real one on loopback, and one that says what a test wants said."""

import asyncio
import os
import shutil
import socket
from asyncio.subprocess import Process
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.types import Receive, Scope, Send

_BINARIES = ("prometheus-alertmanager", "alertmanager")
_START_SECONDS = 30.0
_POLL_SECONDS = 0.1


def find_alertmanager() -> str:
    """Return the binary; skip the test where there is none, or fail where one is required."""
    for name in _BINARIES:
        if path := shutil.which(name):
            return path
    missing = "no Alertmanager: Debian and Ubuntu have it in the package prometheus-alertmanager"
    if os.environ.get("MENDGATE_TEST_REQUIRE_ALERTMANAGER"):
        pytest.fail(missing)
    pytest.skip(missing)


class RealAlertmanager:
    """The real Alertmanager on loopback, with one webhook; it can be started again after its end."""

    def __init__(self, folder: Path, name: str = "alertmanager") -> None:
        self._folder = folder / name
        self._folder.mkdir()
        self._binary = find_alertmanager()
        self._process: Process | None = None
        self.url = f"http://127.0.0.1:{_free_port()}"

    def deliver_to(self, url: str, token: str, **webhook: Any) -> None:
        """Write the configuration: every alert goes to this URL, in groups by namespace."""
        config = {
            "route": {
                "receiver": "mendgate",
                "group_by": ["namespace"],
                "group_wait": "100ms",
                "group_interval": "1s",
                "repeat_interval": "1h",
            },
            "receivers": [
                {
                    "name": "mendgate",
                    "webhook_configs": [
                        {
                            "url": url,
                            "http_config": {"authorization": {"credentials": token}},
                            **webhook,
                        }
                    ],
                }
            ],
        }
        (self._folder / "alertmanager.yml").write_text(yaml.safe_dump(config))

    async def start(self) -> None:
        """Start it and wait until it is ready."""
        with (self._folder / "log").open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                self._binary,
                f"--config.file={self._folder}/alertmanager.yml",
                f"--storage.path={self._folder}/data",
                f"--web.listen-address={self.url.removeprefix('http://')}",
                "--cluster.listen-address=",
                stdout=log, stderr=log,
            )  # fmt: skip
        deadline = asyncio.get_running_loop().time() + _START_SECONDS
        while not await self._is_ready():
            assert self._process.returncode is None, self.log()
            assert asyncio.get_running_loop().time() < deadline, self.log()
            await asyncio.sleep(_POLL_SECONDS)

    async def stop(self) -> None:
        """Stop it; what fires is forgotten, as it is whenever Alertmanager stops."""
        if self._process and self._process.returncode is None:
            self._process.terminate()
            await self._process.wait()
        self._process = None

    def log(self) -> str:
        """Return what it has logged."""
        return (self._folder / "log").read_text()

    async def fire(self, *names: str, began: datetime | None = None, namespace: str = "shop") -> None:
        """Let alerts fire, each about a Deployment of its name, as Prometheus would tell it."""
        await self._post(names, namespace, {"startsAt": _written(began or datetime.now(UTC))})

    async def resolve(self, *names: str, namespace: str = "shop") -> None:
        """Let alerts be over."""
        await self._post(names, namespace, {"endsAt": _written(datetime.now(UTC))})

    async def silence(self, name: str) -> None:
        """Silence one alert for an hour."""
        now = datetime.now(UTC)
        matcher = {"name": "deployment", "value": name, "isRegex": False, "isEqual": True}
        silence = {
            "matchers": [matcher],
            "startsAt": _written(now),
            "endsAt": _written(now + timedelta(hours=1)),
            "createdBy": "a test",
            "comment": "as tested",
        }
        await self._send("POST", "/api/v2/silences", silence)

    async def listed(self) -> list[dict[str, Any]]:
        """Return what it lists."""
        found: list[dict[str, Any]] = (await self._send("GET", "/api/v2/alerts")).json()
        return found

    async def _post(self, names: tuple[str, ...], namespace: str, times: Mapping[str, str]) -> None:
        alerts = [
            {
                "labels": {
                    "alertname": "KubeDeploymentReplicasMismatch",
                    "namespace": namespace,
                    "deployment": name,
                    "severity": "warning",
                },
                "annotations": {"summary": f"{name} is short of replicas"},
                "generatorURL": "http://prometheus.example/graph",
                **times,
            }
            for name in names
        ]
        await self._send("POST", "/api/v2/alerts", alerts)

    async def _is_ready(self) -> bool:
        try:
            return (await self._send("GET", "/-/ready")).status_code == httpx.codes.OK
        except httpx.HTTPError:
            return False

    async def _send(self, method: str, path: str, body: Any = None) -> httpx.Response:
        async with httpx.AsyncClient(base_url=self.url, timeout=60, trust_env=False) as client:
            answer = await client.request(method, path, json=body)
            return answer.raise_for_status()


@dataclass
class SayingAlertmanager:
    """An ASGI app that lists what a test puts into it; `broken` answers everything instead."""

    started: datetime = datetime(2026, 11, 1, tzinfo=UTC)
    alerts: dict[str, dict[str, Any]] = field(default_factory=dict)
    broken: Response | None = None
    asked: list[Request] = field(default_factory=list)

    def fire(self, name: str, began: datetime, *, state: str = "active", receiver: str = "mendgate") -> None:
        """List one alert about a Deployment of this name."""
        self.alerts[name] = {
            "annotations": {"summary": f"{name} is short of replicas"},
            "endsAt": _written(began + timedelta(days=1)),
            "fingerprint": name,
            "receivers": [{"name": receiver}],
            "startsAt": _written(began, "milliseconds"),
            "status": {"inhibitedBy": [], "silencedBy": [], "state": state},
            "updatedAt": _written(began, "milliseconds"),
            "generatorURL": "http://prometheus.example/graph",
            "labels": {
                "alertname": "KubeDeploymentReplicasMismatch",
                "namespace": "shop",
                "deployment": name,
                "severity": "warning",
            },
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        request = Request(scope, receive)
        self.asked.append(request)
        await (self.broken or JSONResponse(self._answer(scope["path"])))(scope, receive, send)

    def _answer(self, path: str) -> Any:
        return {
            "/api/v2/alerts": list(self.alerts.values()),
            "/api/v2/receivers": [{"name": "mendgate"}, {"name": "pagers"}],
            "/api/v2/status": {
                "cluster": {"peers": [], "status": "disabled"},
                "config": {"original": ""},
                "uptime": _written(self.started, "milliseconds"),
                "versionInfo": {"version": "0.34.0"},
            },
        }[path]


def _written(instant: datetime, timespec: str = "microseconds") -> str:
    return instant.astimezone(UTC).isoformat(timespec=timespec).replace("+00:00", "Z")


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port
