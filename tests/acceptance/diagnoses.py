"""A diagnosis in this process: real HTTP to the model, the real ledger, the real MCP server, a sandbox."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from api.config.settings import Settings
from api.serving.wiring import Service, open_service
from graph.domain.alerts.payload import AlertGroup
from graph.domain.incident import ACTIVE, EntryKind, Incident
from tests.integration.cluster.clusters import Object, await_condition
from tools.sandbox import SandboxCluster, Scenario


@dataclass
class Diagnosis:
    """A service with a model, and the cluster it looks at."""

    service: Service
    sandbox: SandboxCluster

    async def run(self, scenario: Scenario, *extra: Object, seconds: float = 30) -> Incident:
        """Break the cluster, deliver the alert; return the incident once a person is needed or it has ended.

        `extra` is applied before the alert.
        """
        pods = await self.sandbox.break_as(scenario)
        for manifest in extra:
            self.sandbox.apply(manifest)
        body = json.dumps(scenario.alert_body(pods)).encode()
        receipt = await self.service.ledger.intake.accept(AlertGroup.model_validate_json(body), body)
        (incident_id,) = receipt.incident_ids
        self.service.runner.wake(incident_id)

        async def probe() -> Incident | None:
            incident = await self.service.ledger.incidents.find(incident_id)
            goes_on = incident.status in ACTIVE and incident.status != "awaiting_approval"
            return None if goes_on else incident

        return await await_condition(probe, "the diagnosis to end", seconds)

    async def entries(self, incident: Incident, kind: EntryKind) -> list[dict[str, Any]]:
        """Return what the timeline's lines of one kind say."""
        lines = await self.service.ledger.incidents.entries(incident.id)
        return [line.data for line in lines if line.kind == kind]

    def changes(self) -> list[str]:
        """Return what was written, and by whom it was approved, were anything written at all."""
        stamped = [
            one["metadata"]["name"]
            for one in self.sandbox.select("Deployment")
            if "mendgate.io/approval" in str(one["metadata"])
        ]
        return [*map(str, self.sandbox.writes), *stamped]


@asynccontextmanager
async def diagnosing(folder: Path, **model: Any) -> AsyncIterator[Diagnosis]:
    """Start a sandbox cluster and a service with these settings of the model."""
    async with SandboxCluster() as sandbox:
        reader, writer = sandbox.write_kubeconfigs(folder)
        settings = Settings(
            kubeconfig=reader,
            write_kubeconfig=writer,
            database_url=f"sqlite+aiosqlite:///{folder}/test.db",
            audit_key=folder / "audit.key",
            mcp_config=None,
            dev_mode=False,
            **model,
        )
        async with open_service(settings) as service, service.working():
            yield Diagnosis(service, sandbox)
