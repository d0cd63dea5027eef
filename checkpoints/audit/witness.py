"""What the sealed chain says about all that may still lead to a write, in the memory of this process.

The witness has seen every row, in order, each one once, and remembers what stands: the stops, the approvals
that haven't ended, the writes of the last hour. Rows that somebody takes out of the table afterwards stay
remembered, so that nothing is gained by deleting a revocation or the kill switch. A row without a seal says
nothing, and stops all writes until an admin has accepted the chain as it is.
"""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from checkpoints.audit.hash_chain import Head, Inspection, Link
from graph.policy import POLICY_PREFIX

_BUDGET = timedelta(hours=1)
# What leaves an approval standing: any other word about it is its end.
_STANDING = frozenset({"proposed", "approved", "claimed", "intent"})
_WROTE_NOTHING = frozenset({"failed", "superseded"})
_DECIDING_NOTHING = frozenset({"begun", "verdict", "retry"})


class Witness:
    """Follows one chain, from its first row on.

    `key` is the one that seals it, `remembered` the row that must be found in it (None: none is known).
    """

    def __init__(self, key: bytes, remembered: Head | None = None) -> None:
        self._key = key
        self.remembered = remembered
        self.contradiction = ""
        """Why the chain isn't the one that was known before; empty if it is."""
        self._contradicted_at = datetime.now(UTC)
        self._trusted: Head | None = None
        self._acceptance: Head | None = None
        self.forget()

    def forget(self) -> None:
        """Begin again before the first row."""
        self._inspection = Inspection(self._key, None)
        self._faults = 0
        self.head: Head | None = None
        self.has_remembered = False
        self.fault = ""
        self.has_decided = False
        self.switch: Link | None = None
        self.freezes: dict[str, Mapping[str, Any]] = {}
        self.approvals: dict[str, tuple[str, ...]] = {}
        self._writes: dict[str, datetime] = {}
        self._automatic: dict[str, tuple[str, datetime]] = {}

    @property
    def doubt(self) -> str:
        """Why nothing may be written, in words; empty while the chain is sound."""
        return self.contradiction or self.fault

    def follow(self, links: Iterable[Link]) -> None:
        """Look at the next rows. Those that were seen meanwhile, for another transaction, are skipped."""
        for link in links:
            if self.head is None or link.seq > self.head.seq:
                self._follow(link)

    def contradict(self, why: str) -> None:
        """Stop all writes: the chain isn't the one that was known.

        Only an acceptance from after this moment ends that. An older one, which was deleted and is put back,
        bears a seal, too.
        """
        self.contradiction, self._contradicted_at = why, datetime.now(UTC)
        self._trusted = None

    def trust(self, acceptance: Head) -> None:
        """Take this acceptance, which this process has committed itself, whatever its clock says."""
        self._trusted = acceptance

    def take_acceptance(self) -> Head | None:
        """Return, once, the row by which an admin has accepted the chain in spite of a contradiction."""
        taken, self._acceptance = self._acceptance, None
        return taken

    def count_writes(self, now: datetime) -> int:
        """Return how many writes were claimed in the hour before `now`, but those that wrote nothing."""
        self._writes = {one: at for one, at in self._writes.items() if at > now - _BUDGET}
        return len(self._writes)

    def count_approvals(self, actor: str, now: datetime) -> int:
        """Return how often a rule of the policy has approved in the hour before `now`."""
        self._automatic = {one: said for one, said in self._automatic.items() if said[1] > now - _BUDGET}
        return sum(by == actor for by, _ in self._automatic.values())

    def spent(self, now: datetime) -> dict[str, list[tuple[str, ...]]]:
        """Return what counts against the budgets, for the row that accepts the chain."""
        since = now - _BUDGET
        return {
            "writes": [(one, at.isoformat()) for one, at in self._writes.items() if at > since],
            "automatic": [
                (one, by, at.isoformat()) for one, (by, at) in self._automatic.items() if at > since
            ],
        }

    def _follow(self, link: Link) -> None:
        self._inspection.follow((link,))
        self.head = link.head
        self.has_remembered = self.has_remembered or link.head == self.remembered
        if self._inspection.count > self._faults:
            self._faults = self._inspection.count
            self.fault = f"the audit isn't intact: {self._inspection.latest}"
        if self._inspection.is_sound:
            self._heed(link)

    def _heed(self, link: Link) -> None:
        self.has_decided = self.has_decided or link.action not in _DECIDING_NOTHING
        if link.action == "accepted":
            self._accept(link)
        elif link.action == "kill_switch":
            self.switch = link
        elif link.action == "freeze_ended":
            self.freezes.pop(link.facts["freeze"]["id"], None)
        elif link.action.startswith("freeze_"):  # added, or changed since
            self.freezes[link.facts["freeze"]["id"]] = link.facts["freeze"]
        if link.approval_id:
            self._heed_approval(link, link.approval_id)

    def _heed_approval(self, link: Link, approval_id: str) -> None:
        known = self.approvals.get(approval_id)
        if link.action not in _STANDING:
            self.approvals.pop(approval_id, None)
        elif known is not None or link.action == "proposed":
            self.approvals[approval_id] = (*(known or ()), link.mac)
        if link.action == "claimed":
            self._writes.setdefault(approval_id, link.instant)
        elif link.action == "approved" and link.actor.startswith(POLICY_PREFIX):
            self._automatic[approval_id] = (link.actor, link.instant)
        elif (link.action == "outcome" and link.facts["outcome"] in _WROTE_NOTHING) or (
            link.action == "resolved" and link.facts["finding"] == "not_applied"
        ):
            self._writes.pop(approval_id, None)

    def _accept(self, link: Link) -> None:
        """Begin again behind a row by which an admin took the chain as it is: what stood before is void.

        Whatever still counts is in this row and in those that were sealed with it, so that nobody gains
        anything by deleting what is older.
        """
        self.fault = ""
        if self.contradiction and (link.head == self._trusted or link.instant > self._contradicted_at):
            self.contradiction, self._acceptance = "", link.head
        self.approvals.clear()
        self.switch = None  # it is sealed again right behind this row
        self.freezes = {freeze["id"]: freeze for freeze in link.facts["freezes"]}
        spent = link.facts["spent"]
        self._writes |= {one: datetime.fromisoformat(at) for one, at in spent["writes"]}
        self._automatic |= {one: (by, datetime.fromisoformat(at)) for one, by, at in spent["automatic"]}
