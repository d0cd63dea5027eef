"""The reference incident as the ledger has it at its end: three pods, one image with a dash too many."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

from graph.domain.alerts.payload import AlertGroup
from graph.domain.alerts.targets import Target
from graph.domain.diagnosis import Diagnosis, Evidence, Trace
from graph.domain.incident import CaseFile, Check, Entry, EntryKind, Incident, Verification
from graph.domain.proposal import Approval, Decision, Proposal
from tests.unit.graph.domain.proposals import make_proposal
from tests.unit.graph.domain.test_alerts_and_targets import real_body
from tools.kubernetes.diff import FieldChange
from tools.kubernetes.patch import APPROVAL_PATH, PatchArguments

BEGAN = datetime(2025, 6, 4, 9, 37, 53, tzinfo=UTC)
WEB = Target(kind="Deployment", namespace="default", name="nginx-deployment")
POD = "nginx-deployment-85c88b48cd-6kmxz"
IMAGE = "spec.template.spec.containers[nginx].image"
DESCRIPTION = f"""\
Name:             {POD}
Namespace:        default
Containers:
  nginx:
    Image:          nginx:1.25-
    State:          Waiting
      Reason:       ImagePullBackOff
Events:
  Type     Reason   From     Message
  Normal   Pulling  kubelet  Pulling image "nginx:1.25-"
  Warning  Failed   kubelet  Failed to pull image "nginx:1.25-": 400 Bad Request
"""
REVISIONS = json.dumps(
    {
        "items": [
            {
                "kind": "ReplicaSet",
                "metadata": {"name": "nginx-deployment-5c989f4f99"},
                "spec": {"template": {"spec": {"containers": [{"name": "nginx", "image": "nginx:1.25"}]}}},
            }
        ]
    }
)


def at(seconds: float) -> datetime:
    """Return a moment of the incident."""
    return BEGAN + timedelta(seconds=seconds)


def evidence() -> tuple[Evidence, ...]:
    """Return what was read."""
    where = {"namespace": "default"}
    calls: tuple[tuple[str, dict[str, Any], str], ...] = (
        ("kubectl_describe", {"resourceType": "pod", "name": POD, **where}, DESCRIPTION),
        (
            "kubectl_get",
            {
                "resourceType": "replicasets",
                **where,
                "labelSelector": "app=nginx-deployment",
                "output": "json",
            },
            REVISIONS,
        ),
        ("kubectl_get", {"resourceType": "services", **where, "output": "json"}, '{"items": []}'),
    )
    return tuple(
        Evidence(id=f"E{number}", tool=tool, arguments=arguments, text=text, is_error=False, at=at(number))
        for number, (tool, arguments, text) in enumerate(calls, 1)
    )


def proposal(**changes: Any) -> Proposal:
    """Return the proposal, traced to the older revision."""
    call = PatchArguments(
        resource_type="deployment",
        name="nginx-deployment",
        namespace="default",
        patch_data={
            "spec": {"template": {"spec": {"containers": [{"name": "nginx", "image": "nginx:1.25"}]}}}
        },
    )
    trace = Trace(
        path=IMAGE, value="nginx:1.25", origin="revision", evidence="E2",
        place=f"ReplicaSet/nginx-deployment-5c989f4f99, {IMAGE}",
    )  # fmt: skip
    facts: dict[str, Any] = {
        "arguments": call.stamped("apr-1", None),
        "target": WEB,
        "diff": (
            FieldChange(path=APPROVAL_PATH, after="apr-1", added=True),
            FieldChange(path=IMAGE, before="nginx:1.25-", after="nginx:1.25"),
        ),
        "basis": "Revision 1 (nginx-deployment-5c989f4f99) used nginx:1.25.",
        "traces": (trace,),
        "undo_plan": {"summary": f"{IMAGE} back to 'nginx:1.25-'", "call": None},
    }
    return make_proposal(**(facts | changes))


def approval(one: Proposal | None = None, **changes: Any) -> Approval:
    """Return the approval of a proposal as alice gave it, applied."""
    one = one or proposal()
    said = Decision(by="alice", verdict="approve", reason="the tag has a dash too many", at=at(60))
    facts: dict[str, Any] = {
        "proposal": one, "status": "applied", "digest": "5b0f" * 16, "quorum": 1, "decisions": (said,),
        "created_at": at(10), "decide_by": at(14_400), "execute_by": at(1_860), "superseded_by": None,
        "outcome": "the object carries this approval's annotation",
    }  # fmt: skip
    return Approval.model_validate(facts | changes)


def verification(**changes: Any) -> Verification:
    """Return what the cluster showed after the change."""
    facts: dict[str, Any] = {
        "verdict": "verified",
        "reason": "every check held for 60 s without a break",
        "checks": checks(ready=3),
        "started_at": at(62), "ended_at": at(130), "stable_seconds": 60, "looks": 34,
    }  # fmt: skip
    return Verification.model_validate(facts | changes)


def checks(*, ready: int) -> tuple[Check, ...]:
    """Return three predicates as one look saw them."""
    return (
        Check(predicate="in_place", held=True, detail="the object is as approved"),
        Check(predicate="rollout_complete", held=ready == 3, detail=f"{ready} of 3 updated and available"),
        Check(predicate="pods_ready", held=ready == 3, detail=f"{ready} of 3 pods are Ready"),
    )


def diagnosis(**changes: Any) -> Diagnosis:
    """Return the runbook's diagnosis."""
    facts: dict[str, Any] = {
        "summary": f"{WEB}: container nginx can't start because its image nginx:1.25- can't be pulled",
        "cause": "Container nginx is in ImagePullBackOff: its image nginx:1.25- can't be pulled, the registry"
        " doesn't have it.",
        "root_causes": (WEB,),
        "evidence": ("E1", "E2"),
        "source": "runbook",
        "confidence": "high",
        "prevention": ("Check in CI that an image can be pulled before its reference is deployed.",),
    }
    return Diagnosis.model_validate(facts | changes)


def timeline() -> tuple[Entry, ...]:
    """Return what a run writes down."""
    lines: tuple[tuple[float, EntryKind, dict[str, Any]], ...] = (
        (0, "alert_received", {"alertname": "KubePodNotReady", "alerts": 3}),
        (0.1, "node_entered", {"node": "analyze_root_cause"}),
        (1, "tool_called", {"tool": "kubectl_describe", "reason": "how an affected pod fares"}),
        (1.1, "tool_answered", {"evidence": "E1"}),
        (2, "tool_called", {"tool": "kubectl_get", "reason": "the workload's replicasets"}),
        (2.1, "tool_answered", {"evidence": "E2"}),
        (
            4, "reasoned",
            {"reason": "an older revision has the image", "decision": "propose_patch", "source": "runbook"},
        ),
        (10, "proposed", {"approval_id": "apr-1", "summary": "set the image to nginx:1.25"}),
        (60, "decided", {"by": "alice", "verdict": "approve", "reason": "the tag has a dash too many"}),
        (61, "applied", {"approval_id": "apr-1", "outcome": "applied", "detail": ""}),
        (64, "checked", {"checks": [check.model_dump() for check in checks(ready=1)]}),
        (70, "checked", {"checks": [check.model_dump() for check in checks(ready=3)]}),
        (130, "verdict", {"verdict": "verified", "reason": "all held"}),
    )  # fmt: skip
    return tuple(
        Entry(seq=number, at=at(seconds), kind=kind, data=data)
        for number, (seconds, kind, data) in enumerate(lines, 1)
    )


def incident(**changes: Any) -> Incident:
    """Return the incident, diagnosed and verified."""
    facts: dict[str, Any] = {
        "id": "inc-1", "status": "verifying", "alertname": "KubePodNotReady", "severity": "warning",
        "target": WEB, "diagnosis": diagnosis(), "approval_ids": ("apr-1",), "verdict": "verified",
        "verification": verification(), "reason": "", "advice": (), "created_at": BEGAN,
        "updated_at": at(130),
    }  # fmt: skip
    return Incident.model_validate(facts | changes)


def case_file(**changes: Any) -> CaseFile:
    """Return the whole case; a change is one of its parts."""
    facts: dict[str, Any] = {
        "incident": incident(),
        "group": AlertGroup.model_validate(real_body()),
        "evidence": evidence(),
        "approvals": (approval(),),
        "timeline": timeline(),
    }
    return CaseFile.model_validate(facts | changes)
