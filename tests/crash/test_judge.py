"""The judge of the crash matrix finds what it is there for."""

from dataclasses import replace
from typing import Any

import pytest

from tests.crash.courses import Course
from tests.crash.judge import find_faults

YES = {"by": "bob", "verdict": "approve"}
GOOD = Course(
    fix="right",
    kills=1,
    seconds=1.0,
    incident={"status": "resolved", "verdict": "verified", "reason": ""},
    approvals=({"id": "apr-1", "status": "applied", "decisions": [YES]},),
    report="Resolved: all is well. Status: applied",
    audit={"intact": True},
    writes=("apr-1",),
    is_healthy=True,
    log="",
)


def test_a_good_course_has_no_faults() -> None:
    assert find_faults(GOOD) == []


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ({"writes": ("apr-1", "apr-1")}, "written 2 times"),
        ({"writes": ()}, "called applied, and nothing was written"),
        ({"writes": ("apr-1", "apr-2")}, "without an approval"),
        ({"approvals": ({"id": "apr-1", "status": "applied", "decisions": []},)}, "without an approval"),
        (
            {"approvals": ({"id": "apr-1", "status": "failed", "decisions": [YES]},)},
            "failed, and was written",
        ),
        ({"audit": {"intact": False}}, "the audit is broken"),
        ({"is_healthy": False}, "the workload isn't healthy"),
        ({"fix": "wrong"}, "it ended as resolved"),
        ({"incident": {"status": "failed", "verdict": None, "reason": "x"}}, "it ended as failed"),
        ({"report": "Handed over. Status: applied"}, "the report and the verdict disagree"),
        ({"report": "Resolved: all is well."}, "doesn't say that apr-1 is applied"),
        (
            {"approvals": ({"id": "apr-1", "status": "unknown", "decisions": [YES]},)},
            "doesn't tell truly whether the outcome is known",
        ),
    ],
)
def test_a_broken_promise_is_found(change: dict[str, Any], fault: str) -> None:
    assert any(fault in found for found in find_faults(replace(GOOD, **change)))
