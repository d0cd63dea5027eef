"""What earlier revisions of a workload had, and how it is known that they ran."""

from collections.abc import Iterator
from dataclasses import dataclass

from graph.domain.diagnosis import Confidence
from graph.runbooks.evidence.snapshot import Snapshot
from graph.runbooks.objects.workloads import Workload


@dataclass(frozen=True)
class Past:
    """An older revision. `proof` says in words how it is known that its pods have run; empty: it isn't."""

    revision: Workload
    proof: str
    evidence: tuple[str, ...]

    @property
    def confidence(self) -> Confidence:
        """How far to rely on what it had."""
        return "high" if self.proof else "medium"

    def tell(self, had: str) -> str:
        """Return the sentence that says what the revision had and why that is worth something."""
        words = self.proof or "nothing is recorded against it, though no record of its run is left either"
        return f"Revision {self.revision.revision} ({self.revision.metadata.name}) {had}; {words}."


def list_past(snapshot: Snapshot) -> Iterator[Past]:
    """Yield the older revisions, the last first: those that certainly ran before those that only may have."""
    found = [_examine(snapshot, revision) for revision in snapshot.older_revisions]
    yield from (past for past in found if past.proof)
    yield from (past for past in found if not past.proof)


def _examine(snapshot: Snapshot, revision: Workload) -> Past:
    assert snapshot.revisions is not None, "the revision came from there"
    source = snapshot.revisions.evidence
    if ready := revision.status.ready_replicas:
        return Past(revision, f"{ready} of its pods are ready now", (source,))
    if started := next(snapshot.starts_of(revision), None):
        return Past(revision, "events show that its containers started", (source, started))
    return Past(revision, "", (source,))
