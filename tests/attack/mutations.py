"""Shows that the tests can fail: in a copy of the tree it takes away, one at a time, what the gate stands on.

`make mutations` prints which tests turn red; it ends with 1 if one mutation goes unseen. `ARGS=word` picks
those with the word in their name.
"""

import re
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
_LEFT_OUT = shutil.ignore_patterns(".git", ".venv", "*cache*", "node_modules", ".langgraph_api")
_CLAIMS = ("tests/integration/test_claims.py",)
_EXECUTOR = ("tests/integration/test_executor.py",)
_PATCH = ("tests/unit/tools/test_patch.py", "tests/integration/test_executor.py")
_ROWS = ("tests/attack/test_forged_rows.py",)


_INTENT = (
    "tools/executor.py",
    "grant.approval_id, epoch, resource_version=version",
    '"", resource_version=version',
)


@dataclass(frozen=True)
class Mutation:
    """One thing taken away: each text of `edits`, by file, is exchanged for another. `tests` must see it."""

    name: str
    edits: tuple[tuple[str, str, str], ...]
    tests: tuple[str, ...]


_CLAIM, _APPROVALS = "checkpoints/claims.py", "checkpoints/approvals.py"
MUTATIONS = (
    Mutation(
        "claim: the status", ((_CLAIM, '(ApprovalRow.status == "approved")\n        & (', "("),), _CLAIMS
    ),
    Mutation("claim: the digest", ((_CLAIM, "ApprovalRow.digest == digest, ", ""),), _CLAIMS),
    Mutation("claim: the expiry", ((_CLAIM, "        & (ApprovalRow.execute_by > now)\n", ""),), _CLAIMS),
    Mutation("claim: the stops", ((_CLAIM, "        & ~stop_in_force(now, policy)\n", ""),), _CLAIMS),
    Mutation(  # either of the two would do, since the incident is held
        "claim: the run's epoch",
        (
            (_CLAIM, "holds_incident, fresh", "fresh"),
            (_APPROVALS, "if current != epoch:", "if current is None:"),
        ),
        _CLAIMS,
    ),
    Mutation(
        "claim: the epoch of a dead run's claim",
        ((_CLAIM, " & (ApprovalRow.claim_epoch < epoch)", ""),),
        _CLAIMS,
    ),
    Mutation(
        "claim: the digest computed again",
        ((_CLAIM, "(proposal.id, proposal.incident_id, proposal.digest) != (", "() and () != ("),),
        _CLAIMS,
    ),
    Mutation(
        "claim: the audit's word",
        ((_CLAIM, "not await audit.holds_approval(session, row)", "not row"),),
        _ROWS,
    ),
    Mutation(
        "intent: the expiry",
        (
            (
                _APPROVALS,
                "row.execute_by is None or row.execute_by <= now:\n                raise",
                "not row:\n                raise",
            ),
        ),
        _CLAIMS,
    ),
    Mutation(
        "intent: the stops",
        (
            (
                _APPROVALS,
                "await find_stop(session, self._policy):\n                raise ClaimRefused(stop)",
                "str():\n                raise ClaimRefused(stop)",
            ),
        ),
        _CLAIMS,
    ),
    Mutation(
        "decision: the digest",
        (
            (
                "checkpoints/decisions.py",
                "if digest is not None and digest != approval.digest:",
                "if not approval:",
            ),
        ),
        ("tests/integration/rest/test_rest_approvals.py",),
    ),
    Mutation(
        "patch: the resourceVersion",
        (("tools/patch.py", '{"uid": uid, "resourceVersion": resource_version}', '{"uid": uid}'),),
        _PATCH,
    ),
    Mutation(
        "patch: the uid",
        (("tools/patch.py", '{"uid": uid, "resource', '{"resource'),),
        _PATCH,
    ),
    Mutation(
        "patch: the allow-list of arguments",
        (("tools/patch.py", 'frozen=True, extra="forbid"', 'frozen=True, extra="allow"'),),
        _PATCH,
    ),
    Mutation(
        "executor: whose annotation it is",
        (
            (
                "tools/executor.py",
                "annotations.get(APPROVAL_ANNOTATION) == grant.approval_id",
                "APPROVAL_ANNOTATION in annotations",
            ),
        ),
        _EXECUTOR,
    ),
    Mutation(
        "executor: the dry-run compared again",
        (("tools/executor.py", "if not same_changes(", "if False and not same_changes("),),
        _EXECUTOR,
    ),
    Mutation(
        "executor: the object's uid",
        (("tools/executor.py", 'if live["metadata"]["uid"] != grant.uid:', "if not live:"),),
        _EXECUTOR,
    ),
    Mutation(
        "executor: the intent",
        (("tools/executor.py", "await self.grants.record_intent(", "str.format("), _INTENT),
        _EXECUTOR,
    ),
    Mutation(
        "graph: whose approval it is",
        (("graph/remediation.py", "if approval.proposal.incident_id != state.incident_id:", "if False:"),),
        _ROWS,
    ),
    Mutation(
        "rest: names and sites",
        (("api/app.py", "    app.add_middleware(SiteGuard, names=names, refuse=answer_error)\n", ""),),
        ("tests/attack/test_browsers.py",),
    ),
)


def mutate(tree: Path, mutation: Mutation) -> None:
    """Carry a mutation out. Raises `LookupError` where its text isn't there exactly once."""
    for file, old, new in mutation.edits:
        path = tree / file
        text = path.read_text()
        if text.count(old) != 1:
            raise LookupError(f"{mutation.name}: {file} has {text.count(old)} times {old!r}, not once")
        path.write_text(text.replace(old, new))


def find_red(mutation: Mutation) -> list[str]:
    """Return the names of the tests that see the mutation, on SQLite and the sandbox: the first, or none."""
    with tempfile.TemporaryDirectory(prefix="alertmend-mutation-") as folder:
        tree = Path(folder) / "tree"
        shutil.copytree(ROOT, tree, ignore=_LEFT_OUT)
        mutate(tree, mutation)
        options = (
            "-q",
            "-x",
            "--tb=no",
            "-p",
            "no:cacheprovider",
            "-k",
            "not postgres and not real",
        )
        done = subprocess.run(
            [sys.executable, "-m", "pytest", *options, *mutation.tests],
            cwd=tree, capture_output=True, text=True, check=False,
        )  # fmt: skip
    red = re.findall(r"^FAILED \S+::(\S+)", done.stdout, re.MULTILINE)
    if not red and done.returncode not in {0, 1}:
        raise RuntimeError(f"{mutation.name}: pytest ended with {done.returncode}\n{done.stdout[-2000:]}")
    return red


def main() -> int:
    """Try every mutation and print what sees it."""
    chosen = [one for one in MUTATIONS if all(word in one.name for word in sys.argv[1:])]
    unseen = 0
    for mutation in chosen:
        red = find_red(mutation)
        unseen += not red
        print(f"{'red   ' if red else 'UNSEEN'}  {mutation.name}: {', '.join(red)}", flush=True)  # noqa: T201 -- it is a command
    return 1 if unseen else 0


if __name__ == "__main__":
    sys.exit(main())
