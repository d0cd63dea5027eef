"""`RunbookDiagnostician`: look until nothing is missing, compare with the catalogue, and decide."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

from graph.domain.alerts.claims import concerns_reach, concerns_scaling
from graph.domain.diagnosis import DiagnosisStep, HandOver, LookAgain, NothingWrong, ProposePatch, Step
from graph.gitops.manifest_sources import find_sources
from graph.ports import Case
from graph.runbooks.catalogue import CATALOGUE, FRONT, REACH
from graph.runbooks.collection.collection import investigate
from graph.runbooks.evidence.judgement import judge_alerts, list_firing
from graph.runbooks.evidence.settling import is_settling, most_looks
from graph.runbooks.evidence.snapshot import Snapshot
from graph.runbooks.handover.unknown_fault import hand_over_unknown
from graph.runbooks.objects.answers import UnreadableEvidence
from graph.runbooks.objects.finding import CONFIDENCES, Finding, Option, unique
from graph.runbooks.objects.workloads import Workload
from graph.runbooks.repairs.own_values import find_foreign
from graph.runbooks.rules.nodes.silent_nodes import describe_unread
from tools.kubernetes.patch import PatchArguments
from tools.off_loop import run_off_loop

_OURS = frozenset({"deployment", "statefulset", "daemonset", "service"})
_PAUSE_SECONDS = 5.0


class RunbookDiagnostician:
    """A mind that needs no model. The same evidence always leads to the same step; it does no I/O."""

    async def decide(self, case: Case) -> DiagnosisStep:
        """Return the next step. Whatever the cluster sent, it raises nothing: at worst a person is asked."""
        return DiagnosisStep(step=await run_off_loop(self._decide, case), memory=case.memory)

    def _decide(self, case: Case) -> Step:
        try:
            found = investigate(case)
        except UnreadableEvidence as error:
            advice = f"Look at {case.target} by hand: {error.evidence} shows what the tool answered."
            return HandOver(reason=str(error), advice=(advice,))
        return self._conclude(found, case) if isinstance(found, Snapshot) else found

    def _conclude(self, snapshot: Snapshot, case: Case) -> Step:
        runbooks = FRONT if snapshot.is_healthy else CATALOGUE
        findings = [(name, finding) for name, runbook in runbooks.items() if (finding := runbook(snapshot))]
        beside = [finding for name, finding in findings if not _is_asked(name, case)]
        findings = [(name, finding) for name, finding in findings if _is_asked(name, case)]
        if snapshot.is_healthy and not findings:
            return _mention(beside, _judge(snapshot, case))
        if not findings and is_settling(snapshot) and case.rechecks < most_looks(snapshot):
            reason = f"{snapshot.workload.value} is still changing; look again in {_PAUSE_SECONDS:g} s."
            return LookAgain(reason=reason, after_seconds=_PAUSE_SECONDS)
        if not findings:
            return hand_over_unknown(snapshot, case)
        name, best = min(findings, key=lambda each: CONFIDENCES.index(each[1].confidence))
        foreign = tuple(why for each in best.options for why in find_foreign(snapshot, each))
        best = replace(best, options=tuple(each for each in best.options if not find_foreign(snapshot, each)))
        option = next((each for each in best.options if not _was_tried(each, case.tried)), None)
        step = (
            _propose(best, option)
            if option and _is_ours(best)
            else _hand_over(best, case, foreign, snapshot.workload.value)
        )
        assert step.diagnosis is not None, "a finding is a diagnosis"
        lacking = describe_unread(snapshot, logs=name != "silent_nodes")
        cause = f"{step.diagnosis.cause}{lacking}"
        diagnosis = step.diagnosis.model_copy(update={"runbook": name, "cause": cause})
        update: dict[str, object] = {"diagnosis": diagnosis, "reason": f"{step.reason}{lacking}"}
        if isinstance(step, HandOver):
            update["keep"] = _comes_after(name, case.fixed_by)
        return step.model_copy(update=update)


def _judge(snapshot: Snapshot, case: Case) -> HandOver | NothingWrong:
    verdict, lacking = judge_alerts(snapshot, case), describe_unread(snapshot)
    stop = "." if lacking and not verdict.reason.endswith(".") else ""
    return verdict.model_copy(update={"reason": f"{verdict.reason}{stop}{lacking}"})


def _is_asked(runbook: str, case: Case) -> bool:
    """Whether an alert that fires is about what a runbook looks for, where healthy pods are before it."""
    alerts = list_firing(case)
    if runbook == "autoscaler":
        return any(concerns_reach(each) or concerns_scaling(each) for each in alerts)
    return runbook not in REACH or any(map(concerns_reach, alerts))


def _mention(beside: Sequence[Finding], step: Step) -> Step:
    """Return a hand-over with what was seen on the way and isn't what the alert is about."""
    if not isinstance(step, HandOver) or not beside:
        return step
    seen = (f"Also seen, though the alert isn't about it: {finding.fault}" for finding in beside)
    return step.model_copy(update={"advice": (*step.advice, *seen)})


def _comes_after(name: str, fixed_by: str) -> bool:
    """Whether a fault shows only once the one that was mended is gone."""
    order = [*CATALOGUE, *FRONT]
    return fixed_by in order and order.index(name) > order.index(fixed_by)


def _is_ours(finding: Finding) -> bool:
    """Whether a change could be verified; else its commands are advice."""
    return all(option.candidate.call.resource_type in _OURS for option in finding.options)


def _propose(finding: Finding, option: Option) -> ProposePatch:
    return ProposePatch(
        reason=f"{finding.cause} {option.candidate.basis}",
        diagnosis=finding.diagnose(option),
        candidate=option.candidate,
    )


def _hand_over(finding: Finding, case: Case, foreign: Sequence[str], workload: Workload) -> HandOver:
    if finding.options and not _is_ours(finding):
        return _recommend(finding, case, workload)
    why = finding.without or "no safe value is known"
    if finding.options:
        why = "every value that the evidence offers was tried or turned down"
    elif foreign:
        why = f"no value of its own is known, and {'; '.join(unique(foreign))}, so it isn't proposed"
    return HandOver(
        reason=f"{finding.fault}; {why}.{_recall(case)}",
        diagnosis=finding.diagnose(None),
        advice=finding.advice,
    )


def _recommend(finding: Finding, case: Case, workload: Workload) -> HandOver:
    """Return what a person should change by hand: the repair is known, and not for us to make."""
    best = finding.options[0]
    kind = best.candidate.call.resource_type
    repairs = (f"{best.change[0].upper()}{best.change[1:]}. {best.candidate.basis}", *finding.repair(best))
    return HandOver(
        reason=f"{finding.fault}; the repair is known, but a change of a {kind} can't be verified."
        f"{_recall(case)}",
        diagnosis=finding.diagnose(None),
        advice=(*repairs, *_say_where(workload), *finding.advice),
    )


def _say_where(workload: Workload) -> Iterator[str]:
    """Yield where a person makes the change instead, if Argo CD, Flux, Helm or an operator would undo it."""
    metadata = workload.metadata
    # a CronJob is what the change is about already
    owners = tuple(one for one in metadata.owner_references if one.kind != "CronJob")
    kept = metadata.model_copy(update={"owner_references": owners})
    for source in find_sources({"metadata": kept.model_dump(by_alias=True)}):
        yield f"Set it {source.place}{f': {source.command}' if source.command else ''}"


def _recall(case: Case) -> str:
    return f" Earlier: {'; '.join(case.failed_attempts)}." if case.failed_attempts else ""


def _was_tried(option: Option, tried: Sequence[PatchArguments]) -> bool:
    return any(option.candidate.call.is_same_change(call) for call in tried)
