"""What must hold for every course, wherever its service died."""

from collections import Counter
from collections.abc import Iterator

from tests.crash.courses import Course


def find_faults(course: Course) -> list[str]:
    """Return a sentence for everything that is not as promised; none if all is well."""
    return [*_in_the_writes(course), *_in_the_end(course), *_in_the_report(course)]


def _in_the_writes(course: Course) -> Iterator[str]:
    written = Counter(course.writes)
    known = {approval["id"]: approval for approval in course.approvals}
    for approval_id, times in written.items():
        if times > 1:
            yield f"{approval_id} was written {times} times"
        decisions = known[approval_id]["decisions"] if approval_id in known else []
        if not any(decision["verdict"] == "approve" for decision in decisions):
            yield f"{approval_id} was written without an approval"
    for approval in known.values():
        status, times = approval["status"], written[approval["id"]]
        if status == "applied" and times == 0:
            yield f"{approval['id']} is called applied, and nothing was written"
        if status not in {"applied", "unknown"} and times:
            yield f"{approval['id']} is called {status}, and was written"
    if not course.audit["intact"]:
        yield f"the audit is broken: {course.audit}"


def _in_the_end(course: Course) -> Iterator[str]:
    status, verdict = course.incident["status"], course.incident["verdict"]
    wanted = ("resolved", "verified") if course.fix == "right" else ("unresolved", "not_verified")
    unsure = any(approval["status"] == "unknown" for approval in course.approvals)
    if not unsure and (status, verdict) != wanted:
        yield f"it ended as {status} ({verdict}): {course.incident['reason']}"
    if verdict == "verified" and not course.is_healthy:
        yield "it is called verified, and the workload isn't healthy"
    if unsure and status != "handed_over":
        yield f"whether it was written is unknown, and it ended as {status}"


def _in_the_report(course: Course) -> Iterator[str]:
    if ("Resolved: " in course.report) != (course.incident["verdict"] == "verified"):
        yield "the report and the verdict disagree"
    for approval in course.approvals:
        if f"Status: {approval['status']}" not in course.report:
            yield f"the report doesn't say that {approval['id']} is {approval['status']}"
    unsure = any(approval["status"] == "unknown" for approval in course.approvals)
    if unsure != ("Whether the cluster was changed is not known." in course.report):
        yield "the report doesn't tell truly whether the outcome is known"
