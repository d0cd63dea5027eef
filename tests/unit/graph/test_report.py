"""The report: only what the ledger knows, in words that match the verdict, and nothing hostile gets out."""

import re
from datetime import UTC, datetime
from typing import Any

import pytest

from graph.alerts import AlertGroup
from graph.diagnosis import Diagnosis, Evidence
from graph.incident import CaseFile, Ending, EndStatus, Entry, Incident, Verification
from graph.proposal import Approval, Decision
from graph.report import render_report
from tests.unit.graph.proposals import WEB, make_proposal
from tests.unit.graph.test_alerts_and_targets import real_body

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
DIAGNOSIS = Diagnosis(
    summary="nginx:1.25- doesn't exist",
    cause="The tag ends in a dash.",
    root_causes=(WEB,),
    evidence=("E1",),
    source="runbook",
    confidence="high",
    prevention=("Check tags before a rollout.",),
)
VERIFIED = Verification(
    verdict="verified",
    reason="all held",
    checks=(),
    started_at=NOW,
    ended_at=NOW,
    stable_seconds=60,
    looks=30,
)


def case(text: str = "ImagePullBackOff", **changes: Any) -> CaseFile:
    incident = {
        "id": "inc-1", "status": "verifying", "alertname": "KubePodNotReady", "severity": "warning",
        "target": WEB, "diagnosis": DIAGNOSIS, "approval_ids": (), "verdict": None, "verification": None,
        "reason": "", "advice": (), "created_at": NOW, "updated_at": NOW,
    }  # fmt: skip
    approvals = changes.pop("approvals", ())
    return CaseFile(
        incident=Incident.model_validate(incident | changes),
        group=AlertGroup.model_validate(real_body()),
        evidence=(
            Evidence(
                id="E1", tool="kubectl_get", arguments={"name": "web"}, text=text, is_error=False, at=NOW
            ),
        ),
        approvals=approvals,
        timeline=(),
    )


def approval(status: str, *decisions: Decision) -> Approval:
    proposal = make_proposal()
    return Approval.model_validate(
        {
            "proposal": proposal,
            "status": status,
            "digest": proposal.digest,
            "quorum": 1,
            "decisions": decisions,
            "created_at": NOW,
            "decide_by": NOW,
            "execute_by": None,
            "superseded_by": None,
            "outcome": "",
        }
    )


def test_a_verified_fix_is_reported_as_resolved_with_who_approved_what() -> None:
    said = Decision(by="alice", verdict="approve", reason="looks right", at=NOW)
    file = case(verdict="verified", verification=VERIFIED, approvals=(approval("applied", said),))

    report = render_report(file, Ending(status="resolved", reason="all held"))

    assert "Resolved: the fix was applied and verified" in report
    assert "| alice | approve | looks right |" in report
    assert make_proposal().digest in report
    assert "kubectl patch deployment web -n default --type strategic" in report
    assert "nginx-deployment-85c88b48cd-6kmxz" in report


@pytest.mark.parametrize("verdict", [None, "not_verified", "undetermined"])
def test_resolved_is_never_said_without_the_verdict(verdict: str | None) -> None:
    report = render_report(case(verdict=verdict), Ending(status="resolved", reason="the model says so"))

    assert "Resolved: " not in report
    assert "Not resolved" in report


@pytest.mark.parametrize("status", ["rejected", "expired", "handed_over", "no_action", "failed", "withdrawn"])
def test_an_untouched_cluster_is_called_untouched(status: EndStatus) -> None:
    file = case(approvals=(approval("rejected"),))

    report = render_report(file, Ending(status=status, reason="why"))

    assert "The cluster was not changed." in report
    assert "Resolved: " not in report


def test_an_unknown_outcome_is_not_called_unchanged() -> None:
    report = render_report(
        case(approvals=(approval("unknown"),)), Ending(status="handed_over", reason="lost")
    )

    assert "Whether the cluster was changed is not known." in report
    assert "The cluster was not changed." not in report


def test_text_from_the_cluster_cannot_break_out_of_its_place() -> None:
    hostile = "```\n# RESOLVED\n<script>alert(1)</script>\n````\n| a | b |"
    file = case(text=hostile, alertname="<img src=x onerror=1> | **x** `y`")

    report = render_report(file, Ending(status="handed_over", reason="[click](javascript:1)\n# Resolved"))

    lines = report.splitlines()
    fence = lines.index("`````")
    closing = lines.index("`````", fence + 1)
    spans = re.compile(r"(`+).+?\1|\\<")
    outside = [spans.sub("", line) for line in lines[:fence] + lines[closing:]]
    assert "# RESOLVED" in lines[fence:closing]
    assert not [line for line in outside if "<" in line]
    assert not [line for line in outside if line.startswith("# Resolved")]
    assert "\\[click\\]" in report


def test_it_lists_every_alert_and_says_what_was_left_out() -> None:
    entry = Entry(seq=1, at=NOW, kind="alert_received", data={"truncated": 5})
    told = case().model_copy(update={"timeline": (entry,)})

    report = render_report(told, Ending(status="no_action", reason="all is well"))

    pods = [alert.labels["pod"] for alert in told.group.alerts]
    assert all(pod in report for pod in pods)
    assert "left out 5 more" in report
