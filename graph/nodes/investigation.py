"""The first half of a run: what the alert is about, and why it fires. Read-only tools only."""

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from langgraph.runtime import Runtime

from graph.cluster.behind import find_workload
from graph.cluster.health import find_fault
from graph.cluster.owners import find_owner
from graph.domain.alerts.claims import describe_measure
from graph.domain.alerts.payload import Alert
from graph.domain.alerts.subjects import comes_from_exporter
from graph.domain.diagnosis import (
    CallTools,
    DiagnosisStep,
    HandOver,
    LookAgain,
    NothingWrong,
    ProposePatch,
    ReadCall,
    ToolAnswer,
)
from graph.domain.ids import new_id
from graph.domain.incident import MODEL_SAYS, Ending
from graph.nodes.journal import Journal
from graph.policy import BUILT_IN, Policy, refuse_read
from graph.ports import Case, ClusterReader, Diagnostician, IncidentLedger, Reader
from graph.runbooks.objects.answers import quote
from graph.state import IncidentState, RunContext
from tools.errors import BadInput, ClusterError, ClusterUnreachable, UnknownKind
from tools.kubernetes.resource_types import find_kind
from tools.mcp.session import ToolResult
from tools.mcp.toolbox import ToolOffer

Update = dict[str, Any]
_LOGS, _DESCRIPTION = "kubectl_logs", "kubectl_describe"
_COMMON = frozenset({"alertname", "severity", "prometheus", "endpoint", "prometheus_replica"})


@dataclass(frozen=True)
class Investigation:
    """The nodes that look. `most_steps` bounds one analysis, `most_looks` how often it may begin anew."""

    incidents: IncidentLedger
    reader: Reader
    diagnostician: Diagnostician
    cluster_reader: ClusterReader
    policy: Policy = BUILT_IN
    most_steps: int = 20
    most_rechecks: int = 4

    async def receive_alert(self, state: IncidentState, runtime: Runtime[RunContext]) -> Update:
        """Find out what the alert is about, or why there is nothing to investigate.

        A run that was started by hand has no incident yet: it gets one.
        """
        incident_id = state.incident_id or await self.incidents.open(state.alert)
        state = state.model_copy(update={"incident_id": incident_id})
        journal = Journal.of(self.incidents, state, runtime)
        await journal.enter("receive_alert", "investigating")
        alerts = [alert for alert in state.alert.alerts if not alert.is_heartbeat]
        if not alerts:
            return {"incident_id": incident_id, "ending": _dismiss(state.alert.alerts[0])}
        target = await find_owner(self.cluster_reader, state.alert)
        if target is None:
            return {"incident_id": incident_id, "ending": _name_no_target(alerts[0])}
        update: Update = {"incident_id": incident_id, "target": target}
        behind = await find_workload(self.cluster_reader, target)
        if other := await self.incidents.set_target(incident_id, journal.epoch, target, behind):
            reason = f"about the same as incident {other}, which has these alerts now: {behind or target}"
            update["ending"] = Ending(status="no_action", reason=reason)
        return update

    async def analyze_root_cause(self, state: IncidentState, runtime: Runtime[RunContext]) -> Update:
        """Let the mind decide the next step from the evidence."""
        journal = Journal.of(self.incidents, state, runtime)
        await journal.enter("analyze_root_cause")
        if (settled := await self._settle(state)) is not None:
            return settled
        decided = await self._decide(state)
        await journal.reasoned(decided)
        step = decided.step
        update: Update = {
            "steps": state.steps + 1,
            "pending_calls": (),
            "candidate": None,
            "memory": decided.memory,
        }
        match step:
            case CallTools(calls=calls):
                return {**update, "pending_calls": calls}
            case LookAgain(after_seconds=seconds):
                await asyncio.sleep(seconds)
                seen = len(await self.incidents.evidence(state.incident_id))
                return {**update, "steps": 0, "rechecks": state.rechecks + 1, "evidence_from": seen}
            case ProposePatch(diagnosis=diagnosis, candidate=candidate):
                return {
                    **update,
                    "diagnosis": diagnosis,
                    "candidate": candidate,
                    "proposal_id": new_id("apr"),
                }
        if state.undo and not isinstance(step, NothingWrong) and not step.keep:
            return {**update, "candidate": state.undo, "undo": None, "proposal_id": new_id("apr")}
        ending = _end(state, step)
        if decided.source == "model":  # what it says is no fact
            advice = tuple(f"{MODEL_SAYS}{one}" for one in ending.advice)
            ending = ending.model_copy(update={"reason": f"{MODEL_SAYS}{ending.reason}", "advice": advice})
        return {**update, "ending": ending}

    async def run_tool(self, state: IncidentState, runtime: Runtime[RunContext]) -> Update:
        """Make the read-only calls that the analysis asked for, and keep every answer as evidence."""
        journal = Journal.of(self.incidents, state, runtime)
        await journal.enter("run_tool")
        offers = {(offer.server, offer.name): offer for offer in await self.reader.offers()}
        answers = []
        for call in state.pending_calls:
            await journal.calls(call)
            result = await self._read(state, call, offers.get((call.server, call.tool)))
            piece = await self.incidents.add_evidence(state.incident_id, journal.epoch, call, result)
            answers.append(ToolAnswer.of(piece))
            runtime.stream_writer({"tool_answer": answers[-1].model_dump()})  # to who streams `custom`
        return {"pending_calls": (), "answers": tuple(answers)}

    async def _settle(self, state: IncidentState) -> Update | None:
        """Return what is to be done without a thought, or None: to take back what the cluster refuses."""
        if await self._is_over(state):
            reason = f"every alert has resolved, and {state.target} is healthy"
            return {"ending": Ending(status="withdrawn", reason=reason), "candidate": None}
        if state.undo and state.undo_first:
            back: Update = {"candidate": state.undo, "undo": None, "undo_first": False}
            return {**back, "pending_calls": (), "proposal_id": new_id("apr")}
        return None

    async def _is_over(self, state: IncidentState) -> bool:
        """Whether what the alerts told of has gone by itself, before anything was changed or turned down."""
        assert state.target is not None, "routing leads here with a target only"
        untouched = state.verdict is None and state.standing != "rejected"
        if not (untouched and await self.incidents.have_resolved(state.incident_id)):
            return False
        return await find_fault(self.cluster_reader, state.target) is None

    async def _decide(self, state: IncidentState) -> DiagnosisStep:
        if state.steps >= self.most_steps:
            tired = HandOver(reason=f"no conclusion after {state.steps} steps of analysis")
            return DiagnosisStep(step=tired, memory=state.memory)
        case = await self._case(state)
        decided = await self.diagnostician.decide(case)
        if isinstance(decided.step, NothingWrong):
            case = replace(case, memory=decided.memory)
            if (later := await self._with_later_alerts(case, state.incident_id)) != case:
                decided = await self.diagnostician.decide(later)
        if isinstance(decided.step, LookAgain) and state.rechecks >= self.most_rechecks:
            unclear = HandOver(reason=f"no clear picture after {state.rechecks} looks: {decided.step.reason}")
            return decided.model_copy(update={"step": unclear})
        return decided

    async def _with_later_alerts(self, case: Case, incident_id: str) -> Case:
        """Return the case with the alerts that came after the first delivery: they, too, are to be judged."""
        group = (await self.incidents.case_file(incident_id)).group
        known = {alert.fingerprint for alert in case.group.alerts}
        later = tuple(alert for alert in group.alerts if alert.fingerprint not in known)
        return replace(case, group=case.group.model_copy(update={"alerts": (*case.group.alerts, *later)}))

    async def _read(self, state: IncidentState, call: ReadCall, offer: ToolOffer | None) -> ToolResult:
        if refusal := refuse_read(offer, call.arguments, self.policy):
            return ToolResult(text=refusal, is_error=True)
        result = await self.reader.call(call.server, call.tool, call.arguments)
        if result.is_unanswered and not (_is_dispensable(call, state) and await self._answers(state)):
            raise ClusterUnreachable(f"{call.tool} got no answer from the API server: {result.message}")
        return result

    async def _answers(self, state: IncidentState) -> bool:
        """Whether the API server itself answers: then the diagnosis goes on without what it doesn't give."""
        target = state.target
        assert target is not None, "routing leads here with a target only"
        try:
            await self.cluster_reader.get(target.kind, target.name, target.namespace)
        except ClusterUnreachable:
            return False
        except (ClusterError, BadInput):  # an answer, too
            return True
        return True

    async def _case(self, state: IncidentState) -> Case:
        assert state.target is not None, "routing leads here with a target only"
        evidence = await self.incidents.evidence(state.incident_id)
        return Case(
            group=state.alert,
            target=state.target,
            evidence=tuple(evidence[state.evidence_from :]),
            failed_attempts=state.failed_attempts,
            tried=state.tried,
            rechecks=state.rechecks,
            fixed_by=state.diagnosis.runbook if state.undo and state.diagnosis else "",
            memory=state.memory,
        )


def _is_dispensable(call: ReadCall, state: IncidentState) -> bool:
    """Whether a diagnosis can do without an answer: anything but the target itself, and lists of pods."""
    if call.tool in {_LOGS, _DESCRIPTION}:
        return True
    assert state.target is not None, "routing leads here with a target only"
    try:
        kind = find_kind(str(call.arguments.get("resourceType", ""))).kind
    except UnknownKind:
        return False
    return kind not in {"Pod", state.target.kind} or (kind != "Pod" and "name" not in call.arguments)


def _dismiss(alert: Alert) -> Ending:
    reason = f"{alert.name} fires all the time by design, to show that alerting works"
    return Ending(status="no_action", reason=reason)


def _name_no_target(alert: Alert) -> Ending:
    missing = "namespace" if alert.namespace is None else "pod or workload"
    lacking = f"it names no {missing}, so there is no workload to investigate"
    if comes_from_exporter(alert.labels):
        lacking = "its labels name only the exporter that measured it"
    what = describe_measure(alert)
    measured = f" measures {what}, which can't be seen in the Kubernetes API, and" if what else ":"
    return Ending(
        status="handed_over",
        reason=f"alert {quote(alert.name)}{measured} {lacking}",
        advice=(_point_on(alert), *_repeat(alert)),
    )


def _repeat(alert: Alert) -> Iterator[str]:
    """Yield what the alert says, and of what: the labels that no rule adds to every alert."""
    if said := alert.annotations.get("summary") or alert.annotations.get("description"):
        yield f"The alert says: {quote(said)}"
    told = ", ".join(f"{name}={value}" for name, value in alert.labels.items() if name not in _COMMON)
    if told:
        yield f"Its labels say: {quote(told)}"


def _point_on(alert: Alert) -> str:
    """Return where a person goes on with an alert that mendgate can't follow."""
    if runbook := alert.annotations.get("runbook_url"):
        return f"Follow the alert's own runbook: {runbook}"
    return (
        f"The alert names no runbook: look at its rule {alert.name} in Prometheus, and let the rule keep the "
        "labels namespace and pod (or deployment, …), so that the next one can be followed."
    )


def _end(state: IncidentState, step: HandOver | NothingWrong) -> Ending:
    """Return how the run ends when the mind has nothing (more) to propose."""
    if state.verdict:
        because = state.failed_attempts[-1] if state.failed_attempts else step.reason
        if isinstance(step, HandOver) and step.keep:
            because = f"{because}. The change stays, because it fixed what it was made for. Now {step.reason}"
        return Ending(status="unresolved", reason=because, advice=(*state.unapplied, *_advice(step)))
    if state.standing == "rejected":
        return Ending(status="rejected", reason=state.failed_attempts[-1], advice=_advice(step))
    if isinstance(step, NothingWrong):
        return Ending(status="no_action", reason=step.reason)
    return Ending(status="handed_over", reason=step.reason, advice=(*state.unapplied, *step.advice))


def _advice(step: HandOver | NothingWrong) -> tuple[str, ...]:
    return step.advice if isinstance(step, HandOver) else (step.reason,)
