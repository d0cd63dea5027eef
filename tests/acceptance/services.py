"""A service as a user runs it: `mendgate serve` in a process of its own, which a test may kill."""

import asyncio
import os
import signal
from pathlib import Path
from typing import Any

import httpx

from api.identity.tokens import TokenStore
from tests.acceptance.lives import Life, Streams, fork_command, start_command
from tests.integration.cluster.clusters import await_condition

_START_SECONDS = 90.0
_POLL_SECONDS = 0.1
ENDS = (
    "resolved", "unresolved", "no_action", "handed_over", "rejected", "expired", "withdrawn", "failed",
)  # fmt: skip
QUICK = "name: quick\nverification: {window: 2s, budget: 60s}\n"
"""The built-in policy, but that nobody waits for a minute."""


class ServiceProcess:
    """`mendgate serve` on a free port, with its files in `folder`; it can be started again after its end.

    It is forked; `tests.acceptance.lives` says what that changes.
    """

    _begin = staticmethod(fork_command)

    def __init__(
        self, folder: Path, reader: Path, writer: Path | None, policy: str = QUICK, **environment: str
    ) -> None:
        self._folder = folder
        (folder / "policy.yaml").write_text(policy)
        tokens = TokenStore(folder / "tokens.json")
        self.tokens = {
            role: tokens.create(f"test-{role}", role) for role in ("ingest", "viewer", "approver", "admin")
        }
        self._environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(folder),
            "KUBECONFIG": str(reader),
            "MENDGATE_WRITE_KUBECONFIG": str(writer) if writer else "",
            "MENDGATE_DATABASE_URL": f"sqlite+aiosqlite:///{folder}/mendgate.db",
            "MENDGATE_TOKENS": str(folder / "tokens.json"),
            "MENDGATE_PORT": "0",
            "MENDGATE_POLICY": str(folder / "policy.yaml"),
            "SSL_CERT_DIR": os.devnull,  # no authority is asked on loopback
            **environment,
        }
        self.process: Life | None = None
        self.url = ""

    async def start(self) -> None:
        """Start the service and wait until it says where it listens."""
        out = self._folder / "stdout.log"
        out.write_text("")
        streams = Streams(out, self._folder / "stderr.log")
        self.process = life = await self._begin(["serve"], self._folder, self._environment, streams)

        async def says() -> str | None:
            said = out.read_text()
            assert life.returncode is None, self.log()
            return said if said.endswith("\n") else None

        line = await await_condition(says, "the service to start", _START_SECONDS)
        self.url = line.split("listens on ")[1].split()[0]

    async def kill(self) -> None:
        """Kill the service as a power cut would."""
        await self._end(signal.SIGKILL)

    async def stop(self) -> int:
        """Stop the service as an init system would, and return its exit code."""
        return await self._end(signal.SIGTERM)

    async def ended(self) -> None:
        """Wait for the end that somebody else brought about."""
        assert self.process is not None
        await asyncio.wait_for(self.process.wait(), _START_SECONDS)
        self.process = None

    async def _end(self, number: signal.Signals) -> int:
        assert self.process is not None
        self.process.send_signal(number)
        code = await asyncio.wait_for(self.process.wait(), _START_SECONDS)
        self.process = None
        return code

    def log(self) -> str:
        """Return what the service has logged."""
        return (self._folder / "stderr.log").read_text()

    async def request(self, method: str, path: str, role: str = "admin", **options: Any) -> httpx.Response:
        """Send one request with a role's token."""
        headers = {"Authorization": f"Bearer {self.tokens[role]}"}
        async with httpx.AsyncClient(base_url=self.url, headers=headers, timeout=60) as client:
            return await client.request(method, path, **options)

    async def post_alert(self, body: dict[str, Any]) -> str:
        """Deliver a webhook and return the one incident it opened."""
        answer = await self.request("POST", "/v1/webhooks/alertmanager", "ingest", json=body)
        assert answer.status_code == 202, answer.text
        (incident_id,) = answer.json()["incident_ids"]
        return str(incident_id)

    async def wait_for(self, incident_id: str, *statuses: str, seconds: float = 60.0) -> dict[str, Any]:
        """Wait until the incident has one of the statuses, and return it."""
        deadline = asyncio.get_running_loop().time() + seconds
        while True:
            incident: dict[str, Any] = (await self.request("GET", f"/v1/incidents/{incident_id}")).json()
            if incident["status"] in statuses:
                return incident
            assert asyncio.get_running_loop().time() < deadline, f"{incident}\n{self.log()[-4000:]}"
            await asyncio.sleep(_POLL_SECONDS)

    async def pending_approval(self, incident_id: str) -> dict[str, Any]:
        """Wait for the incident's proposal and return its approval."""
        return await self.newest_approval(await self.wait_for(incident_id, "awaiting_approval"))

    async def newest_approval(self, incident: dict[str, Any]) -> dict[str, Any]:
        """Return the approval of the incident's newest proposal, however it stands."""
        approval_id = incident["approval_ids"][-1]
        approval: dict[str, Any] = (await self.request("GET", f"/v1/approvals/{approval_id}")).json()
        return approval

    async def decide(
        self, approval: dict[str, Any], verdict: str, reason: str = "as tested"
    ) -> httpx.Response:
        """Approve or reject an approval as it was seen."""
        body = {"digest": approval["digest"], "reason": reason}
        return await self.request("POST", f"/v1/approvals/{approval['id']}/{verdict}", "approver", json=body)

    async def decide_all(self, incident_id: str, verdict: str) -> dict[str, Any]:
        """Decide every proposal of the incident alike until it has ended, and return it."""
        seen: dict[str, Any] = {}
        while True:
            incident = await self.wait_for(incident_id, "awaiting_approval", *ENDS, seconds=150)
            if incident["status"] in ENDS:
                return incident
            approval_id = incident["approval_ids"][-1]
            if approval_id not in seen:
                seen[approval_id] = await self.pending_approval(incident_id)
                await self.decide(seen[approval_id], verdict)
            await asyncio.sleep(_POLL_SECONDS)

    async def report(self, incident_id: str) -> str:
        """Return the incident's report."""
        return (await self.request("GET", f"/v1/incidents/{incident_id}/report")).text


class InstalledService(ServiceProcess):
    """The same, by the installed command."""

    _begin = staticmethod(start_command)
