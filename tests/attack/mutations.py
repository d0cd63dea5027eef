"""Shows that the tests can fail: in a copy of the tree it takes away, one at a time, what the gate stands on.

`make mutations` prints which tests turn red; it ends with 1 if one mutation goes unseen. `ARGS=word` picks
those with the word in their name.
"""

import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.attack.end_mutations import ENDS
from tests.attack.mutation import Mutation
from tests.attack.outer_mutations import OUTER

ROOT = Path(__file__).parents[2]
_LEFT_OUT = shutil.ignore_patterns(".git", ".venv", "*cache*", "node_modules", ".langgraph_api")
_CLAIMS = ("tests/integration/ledger/test_claims.py",)
_EXECUTOR = ("tests/integration/cluster/test_executor.py",)
_PATCH = ("tests/unit/tools/test_patch.py", "tests/integration/cluster/test_executor.py")
_ROWS = ("tests/attack/test_forged_rows.py",)
_UNSEALED = ("tests/attack/test_unsealed_rows.py",)
_ACCEPTANCE = ("tests/attack/test_acceptance.py",)


_INTENT = (
    "tools/executor.py",
    "grant.approval_id, epoch, resource_version=version",
    '"", resource_version=version',
)


_CLAIM, _APPROVALS = "checkpoints/approvals/claims.py", "checkpoints/approvals/store.py"
_SEALS, _STOPS, _DECISIONS = (
    "checkpoints/audit/seals.py",
    "checkpoints/approvals/write_stops.py",
    "checkpoints/approvals/decisions.py",
)
_WITNESS, _AUDIT_ROWS = "checkpoints/audit/witness.py", "checkpoints/audit/rows.py"
_GATE = (
    Mutation(  # either of the two would do: the seals know of the first claim, too
        "claim: the status",
        ((_CLAIM, '(ApprovalRow.status == "approved") & (', "("), (_CLAIM, "if not in_order:", "if False:")),
        _CLAIMS,
    ),
    Mutation("claim: the digest", ((_CLAIM, "ApprovalRow.digest == digest, ", ""),), _CLAIMS),
    Mutation("claim: the expiry", ((_CLAIM, " & (ApprovalRow.execute_by > now)", ""),), _CLAIMS),
    Mutation("claim: the stops", ((_CLAIM, "await find_stop(session, policy, namespace) or ", ""),), _CLAIMS),
    Mutation("claim: the budget", ((_CLAIM, " or await find_spent_budget(session, policy)", ""),), _UNSEALED),
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
        (
            (_CLAIM, " & (ApprovalRow.claim_epoch < epoch)", ""),
            (_CLAIM, "if not in_order:", "if False:"),  # as above
        ),
        _CLAIMS,
    ),
    Mutation(
        "claim: the digest computed again",
        ((_CLAIM, "(proposal.id, proposal.incident_id, proposal.digest) != (", "() and () != ("),),
        _CLAIMS,
    ),
    Mutation(
        "claim: the sealed quorum", ((_CLAIM, "len(sealed.approvers) < row.quorum", "False"),), _UNSEALED
    ),
    Mutation(
        "claim: the sealed time to execute",
        ((_CLAIM, "row.execute_by is None or spell(row.execute_by) != sealed.execute_by", "False"),),
        _UNSEALED,
    ),
    Mutation(
        "claim: no sealed claim but a dead run's", ((_CLAIM, "if not in_order:", "if False:"),), _UNSEALED
    ),
    Mutation(
        "claim: the floor",
        ((_CLAIM, "        _require_allowed(row, policy)\n", "        pass\n"),),
        _UNSEALED,
    ),
    Mutation(
        "claim: the sealed intents",
        ((_CLAIM, "sent_generation=sealed.sent_generation", "sent_generation=None"),),
        _UNSEALED,
    ),
    Mutation(
        "intent: the sealed claim",
        ((_APPROVALS, "            await require_claimed(session, row, epoch)\n", ""),),
        _UNSEALED,
    ),
    Mutation(
        "seals: an approval's rows are all there",
        ((_AUDIT_ROWS, "tuple(link.mac for link in links) == known and all(", "bool(links) and all("),),
        _UNSEALED,
    ),
    Mutation(
        "seals: each row bears its seal",
        ((_AUDIT_ROWS, "link.is_sealed(keeper.key) for link", "bool(link.mac) for link"),),
        _UNSEALED,
    ),
    Mutation(
        "seals: the proposal",
        ((_SEALS, "proposal.digest == row.digest == sealed.digest", "proposal.digest == row.digest"),),
        _UNSEALED,
    ),
    Mutation("seals: the terms", ((_SEALS, "_terms(row) != _bound_terms(proposal) or ", ""),), _UNSEALED),
    Mutation(
        "seals: the time to decide",
        ((_SEALS, " or spell(row.decide_by) != sealed.decide_by", ""),),
        _UNSEALED,
    ),
    Mutation("seals: who approved", ((_SEALS, "if stored != sealed.approvers:", "if False:"),), _UNSEALED),
    Mutation(
        "decision: the seals",
        (
            (
                _DECISIONS,
                "        sealed = await require_sealed(session, row)\n",
                "        sealed = approval\n",
            ),
            (
                _DECISIONS,
                "    return sealed.approvers\n",
                "    return frozenset(one.by for one in sealed.decisions)\n",
            ),
        ),
        _UNSEALED,
    ),
    Mutation("decision: the floor", ((_DECISIONS, "require_allowed(row, policy)", "pass"),), _UNSEALED),
    Mutation(
        "policy's own approval: the floor",
        (
            (
                _APPROVALS,
                "if rule is None or refuse_patch(proposal.arguments, proposal.diff, self._policy):",
                "if rule is None:",
            ),
        ),
        _UNSEALED,
    ),
    Mutation(
        "digest: what is shown",
        (
            (
                "graph/domain/proposal.py",
                'mode="json", by_alias=True)\n        return hashlib',
                'mode="json", by_alias=True, exclude={"risk"})\n        return hashlib',
            ),
        ),
        ("tests/unit/graph/domain/test_proposal.py",),
    ),
    Mutation(
        "stops: the sealed kill switch",
        ((_STOPS, "        if switch.engaged:\n", "        if False:\n"),),
        _UNSEALED,
    ),
    Mutation(
        "stops: the kill switch's row",
        (
            (
                _STOPS,
                "    if (stored.engaged, name_of(stored.by)) != (sealed.engaged, sealed.by):\n        return",
                "    if False:\n        return",
            ),
        ),
        _UNSEALED,
    ),
    Mutation("stops: the freezes' rows", ((_STOPS, "if odd := sorted(", "if False and sorted("),), _UNSEALED),
    Mutation(
        "stops: the audit's doubt", ((_STOPS, "    if witness.doubt:\n", "    if False:\n"),), _ACCEPTANCE
    ),
    Mutation(
        "witness: a row that is gone",
        ((_AUDIT_ROWS, "        if seen and seen not in heads:\n            return seen\n", ""),),
        _ACCEPTANCE,
    ),
    Mutation(
        "witness: this process's newest row",
        ((_AUDIT_ROWS, "            return known\n", "            return None\n"),),
        _UNSEALED,
    ),
    Mutation(
        "witness: an ended approval",
        ((_WITNESS, "            self.approvals.pop(approval_id, None)\n", "            pass\n"),),
        _UNSEALED,
    ),
    Mutation(
        "witness: a fault in the chain",
        ((_WITNESS, 'self.fault = f"the audit isn\'t intact: {self._inspection.latest}"', "pass"),),
        _UNSEALED,
    ),
    Mutation(
        "witness: an acceptance of the past",
        ((_WITNESS, " or link.instant > self._contradicted_at", " or True"),),
        _ACCEPTANCE,
    ),
    Mutation(
        "witness: the budget that an acceptance keeps",
        ((_WITNESS, "        self._writes |= ", "        _ = "),),
        _ACCEPTANCE,
    ),
    Mutation(
        "witness: its acceptance voids", ((_WITNESS, "        self.approvals.clear()\n", ""),), _ACCEPTANCE
    ),
    Mutation(
        "start: the remembered row",
        (("checkpoints/audit/key_files.py", "if not self.witness.has_remembered:", "if False:"),),
        _ACCEPTANCE,
    ),
    Mutation(
        "start: a lost head",
        (("checkpoints/audit/key_files.py", 'return lost if self.witness.has_decided else ""', 'return ""'),),
        ("tests/integration/ledger/test_audit_chain.py",),
    ),
    Mutation(
        "start: a contradiction isn't remembered away",
        (("checkpoints/audit/log.py", "if keeper.witness.contradiction:", "if False:"),),
        ("tests/integration/ledger/test_audit_chain.py",),
    ),
    Mutation(
        "acceptance: what waits is superseded",
        (("checkpoints/acceptance/accept.py", "await _take_out_of_use(session, row, by)", "pass"),),
        _ACCEPTANCE,
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
        "propose: what another incident asks for",
        ((_APPROVALS, "if rival := await find_rival(session, proposal):", "if rival := str():"),),
        ("tests/integration/ledger/test_storms.py",),
    ),
    Mutation(
        "merge: what is approved or written",
        (
            (
                "checkpoints/alerts/deduplication.py",
                "ApprovalRow.status.in_(_BOUND)",
                "ApprovalRow.status.in_(())",
            ),
        ),
        ("tests/integration/ledger/test_storms.py",),
    ),
    Mutation(
        "intent: the stops",
        (
            (
                _APPROVALS,
                "if stop := await self._find_stop(session, row):",
                "if stop := str():",
            ),
        ),
        _CLAIMS,
    ),
    Mutation(
        "decision: the digest",
        (
            (
                "checkpoints/approvals/decisions.py",
                "if digest is not None and digest != approval.digest:",
                "if not approval:",
            ),
        ),
        ("tests/integration/rest/test_rest_approvals.py",),
    ),
    Mutation(
        "patch: the resourceVersion",
        (("tools/kubernetes/patch.py", '{"uid": uid, "resourceVersion": resource_version}', '{"uid": uid}'),),
        _PATCH,
    ),
    Mutation(
        "patch: the uid",
        (("tools/kubernetes/patch.py", '{"uid": uid, "resource', '{"resource'),),
        _PATCH,
    ),
    Mutation(
        "patch: the allow-list of arguments",
        (("tools/kubernetes/patch.py", 'frozen=True, extra="forbid"', 'frozen=True, extra="allow"'),),
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
        (
            (
                "graph/nodes/remediation.py",
                "if approval.proposal.incident_id != state.incident_id:",
                "if False:",
            ),
        ),
        _ROWS,
    ),
    Mutation(
        "children: links to what is hidden",
        (("tools/confinement/landlock.py", "entry.is_symlink() or ", ""),),
        ("tests/unit/tools/test_landlock.py",),
    ),
    Mutation(
        "rest: names and sites",
        (
            (
                "api/serving/app.py",
                "    app.add_middleware(OriginGuard, names=names, refuse=answer_error)\n",
                "",
            ),
        ),
        ("tests/attack/test_browsers.py",),
    ),
)
MUTATIONS = (*_GATE, *ENDS, *OUTER)


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
    with tempfile.TemporaryDirectory(prefix="mendgate-mutation-") as folder:
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
