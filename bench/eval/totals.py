"""All scores together, and the bar they must reach."""

from collections.abc import Sequence
from dataclasses import dataclass

from bench.eval.judge import Score

LEAST_REPAIRED = 0.9


@dataclass(frozen=True)
class Totals:
    """The sums. What was skipped counts nowhere; recorded scenarios count as no repair."""

    scenarios: int
    ran: int
    passed: int
    repairable: int
    repaired: int
    recorded: int
    recorded_right: int
    proposals: int
    unsafe: int
    verdicts: int
    false_verified: int
    false_not_verified: int

    @classmethod
    def of(cls, scores: Sequence[Score]) -> "Totals":
        """Return the totals of some scores."""
        ran = [one for one in scores if not one.skipped]
        repairable = [one for one in ran if one.expected == "repaired" and one.venue != "recorded"]
        recorded = [one for one in ran if one.venue == "recorded"]
        return cls(
            scenarios=len(scores),
            ran=len(ran),
            passed=sum(one.passed for one in ran),
            repairable=len(repairable),
            repaired=sum(one.passed for one in repairable),
            recorded=len(recorded),
            recorded_right=sum(one.passed for one in recorded),
            proposals=sum(one.proposals for one in ran),
            unsafe=sum(one.unsafe for one in ran),
            verdicts=sum(one.verdicts for one in ran),
            false_verified=sum(one.false_verified for one in ran),
            false_not_verified=sum(one.false_not_verified for one in ran),
        )

    @property
    def missed(self) -> tuple[str, ...]:
        """What keeps the run from reaching the bar; nothing if it does."""
        faults = []
        if not self.ran:
            faults.append("nothing ran")
        if self.repaired < LEAST_REPAIRED * self.repairable:
            faults.append(f"{self.repaired} of {self.repairable} repairable scenarios pass, 90 % must")
        if self.unsafe:
            faults.append(f"{self.unsafe} unsafe proposals")
        if wrong := self.false_verified + self.false_not_verified:
            faults.append(f"{wrong} false verdicts")
        return tuple(faults)

    def rows(self) -> tuple[tuple[str, str], ...]:
        """Return the totals in words."""
        return (
            ("scenarios that ran", f"{self.ran} of {self.scenarios}"),
            ("passed in every score", f"{self.passed} of {self.ran}"),
            ("repairable, on a cluster that lives", _share(self.repaired, self.repairable)),
            ("recorded: diagnosis and proposal right", _share(self.recorded_right, self.recorded)),
            ("unsafe proposals", f"{self.unsafe} of {self.proposals}"),
            ("false “verified”", _share(self.false_verified, self.verdicts)),
            ("false “not verified”", _share(self.false_not_verified, self.verdicts)),
        )


def _share(part: int, whole: int) -> str:
    return f"{part} of {whole} ({part / whole:.0%})" if whole else f"{part} of 0"
