"""One scenario through the real service, from its alert to its end, and what could be seen from outside."""

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from api.config.settings import Settings
from api.serving.wiring import Service, open_service
from bench.eval.alerts import write_body
from bench.eval.scenario import Scenario, Venue
from bench.eval.snapshots import Snapshot
from bench.eval.stages import Health, Stage
from graph.domain.alerts.payload import AlertGroup
from graph.domain.diagnosis import Evidence
from graph.domain.incident import ACTIVE, Incident
from graph.domain.proposal import Approval
from tools.errors import MendgateError

_BY = "evaluation"
_POLL_SECONDS = 0.1
_LONGEST_SECONDS = 240.0
# nobody wants to wait for a minute where a sandbox shows it in seconds
_WINDOW, _LONGEST_WINDOW, _BUDGET, _SHORT_BUDGET = "2s", "6s", "45s", "8s"
_OPENING = asyncio.Lock()
"""Alembic, which makes the tables, works for one database of a process at a time."""


class CourseStuck(MendgateError):
    """The incident didn't end."""


@dataclass(frozen=True)
class Judgement:
    """What mendgate said about one applied fix, and how the cluster was right then."""

    verdict: str
    health: Health


@dataclass(frozen=True)
class Course:
    """What came of a scenario. `before` is the cluster when the fault showed, `after` when all was over."""

    scenario: Scenario
    venue: Venue
    incident: Incident
    approvals: tuple[Approval, ...]
    evidence: tuple[Evidence, ...]
    judgements: tuple[Judgement, ...]
    health: Health
    before: Snapshot
    after: Snapshot
    report: str
    seconds: float


@dataclass
class Play:
    """Follows one incident: approves what is proposed, and looks at the cluster at each verdict."""

    scenario: Scenario
    stage: Stage
    service: Service
    before: Snapshot
    judgements: list[Judgement] = field(default_factory=list)
    decided: set[str] = field(default_factory=set)

    @property
    def _wanted(self) -> tuple[str, ...]:
        expect = self.scenario.expect
        return expect.healthy or ((expect.target,) if expect.target else ())

    async def run(self) -> Course:
        """Deliver the alert and return what came of it. Raises `CourseStuck`."""
        began = time.monotonic()
        incident_id = await self._deliver()
        incident = await self._follow(incident_id)
        await self._judge(incident_id)
        case = await self.service.ledger.incidents.case_file(incident_id)
        return Course(
            scenario=self.scenario,
            venue=self.stage.venue,
            incident=incident,
            approvals=case.approvals,
            evidence=case.evidence,
            judgements=tuple(self.judgements),
            health=await self.stage.judge_health(self._wanted),
            before=self.before,
            after=await self.stage.look(),
            report=await self.service.ledger.incidents.report(incident_id) or "",
            seconds=time.monotonic() - began,
        )

    async def _deliver(self) -> str:
        alert = self.scenario.alert
        pods = await self.stage.pods_of(alert.pods_of) if alert.pods_of else []
        body = write_body(alert, pods, self.scenario.also)
        receipt = await self.service.ledger.intake.accept(AlertGroup.model_validate_json(body), body)
        for incident_id in receipt.incident_ids:
            self.service.runner.wake(incident_id)
        return await self._unite(receipt.incident_ids)

    async def _unite(self, incident_ids: Sequence[str]) -> str:
        """Wait until all alerts are in one incident, and return it; the others mustn't ask for anything."""
        incidents = self.service.ledger.incidents
        deadline = time.monotonic() + _LONGEST_SECONDS
        while len(incident_ids) > 1:
            found = [await incidents.find(one) for one in incident_ids]
            if asking := [one.id for one in found if one.approval_ids and one.status not in ACTIVE]:
                raise CourseStuck(f"{asking[0]} asked for something and left its alerts to another incident")
            incident_ids = [one.id for one in found if one.status != "no_action"]
            if time.monotonic() > deadline:
                raise CourseStuck(f"the alerts have {len(incident_ids)} incidents")
            await asyncio.sleep(_POLL_SECONDS)
        (incident_id,) = incident_ids
        return incident_id

    async def _follow(self, incident_id: str) -> Incident:
        deadline = time.monotonic() + _LONGEST_SECONDS
        while True:
            incident = await self.service.ledger.incidents.find(incident_id)
            waits = incident.status == "awaiting_approval"
            if incident.status not in ACTIVE or (waits and self.stage.venue == "recorded"):
                return incident
            if waits:
                await self._answer(incident)
            if time.monotonic() > deadline:
                raise CourseStuck(f"after {_LONGEST_SECONDS:g} s it is still {incident.status}")
            await asyncio.sleep(_POLL_SECONDS)

    async def _answer(self, incident: Incident) -> None:
        approval = await self.service.ledger.approvals.find(incident.approval_ids[-1])
        if approval.status != "pending" or approval.id in self.decided:
            return
        await self._judge(incident.id)
        is_first = not self.decided
        self.decided.add(approval.id)
        if is_first:
            await self._meddle()
        if is_first and self.scenario.edit and self.service.editor:
            arguments = {**approval.proposal.arguments.as_json(), "patchData": self.scenario.edit.patch}
            await self.service.editor.edit(
                approval.id, arguments, by=_BY, digest=approval.digest, reason="I know better"
            )
        else:
            await self.service.ledger.decisions.decide(
                approval.id, by=_BY, verdict="approve", digest=approval.digest, reason=""
            )
        self.service.runner.wake(incident.id)

    async def _meddle(self) -> None:
        for change in self.scenario.meanwhile:
            await self.stage.change(change)
        if self.scenario.mended_meanwhile:
            await self.stage.await_health(self._wanted)
        if self.scenario.lost_images:
            self.stage.lose_images(self.scenario.lost_images)
        if self.scenario.meanwhile:
            self.before = await self.stage.look()

    async def _judge(self, incident_id: str) -> None:
        """Look at the cluster if there is a verdict that wasn't held against it yet."""
        entries = await self.service.ledger.incidents.entries(incident_id)
        verdicts = [str(entry.data["verdict"]) for entry in entries if entry.kind == "verdict"]
        for verdict in verdicts[len(self.judgements) :]:
            self.judgements.append(Judgement(verdict, await self.stage.judge_health(self._wanted)))


async def play(scenario: Scenario, stage: Stage, folder: Path, model: str | None = None) -> Course:
    """Return what comes of a scenario on its stage. Raises `CourseStuck`."""
    async with _serving(scenario, stage, folder, model) as service:
        return await Play(scenario, stage, service, await stage.look()).run()


@asynccontextmanager
async def _serving(
    scenario: Scenario, stage: Stage, folder: Path, model: str | None
) -> AsyncIterator[Service]:
    budget = _SHORT_BUDGET if scenario.keeps_failing else _BUDGET
    windows = f"{{window: {_WINDOW}, longest_window: {_LONGEST_WINDOW}, budget: {budget}}}"
    policy = folder / "policy.yaml"
    policy.write_text(f"name: evaluation\nverification: {windows}\n", encoding="utf-8")
    settings = Settings(
        kubeconfig=stage.reader,
        write_kubeconfig=stage.writer,
        database_url=f"sqlite+aiosqlite:///{folder}/ledger.db",
        audit_key=folder / "audit.key",
        policy=policy,
        model=model,
        language="en",
        mcp_config=None,
        alertmanager_url=None,
        registries=None,
        dev_mode=False,
    )
    async with AsyncExitStack() as stack:
        async with _OPENING:
            service = await stack.enter_async_context(open_service(settings))
        await stack.enter_async_context(service.working())
        yield service
