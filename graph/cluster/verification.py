"""Verification: deterministic, three-valued, and never the model's word.

`verified` only when every predicate of the approved plan held at every look over the whole window.
`not_verified` only when a predicate positively failed at the end of the budget. What couldn't be read is
`undetermined`. "Running" isn't "Ready", and a container that crashes every minute is Ready in between.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from graph.cluster.health import (
    Finding,
    count_restarts,
    crashed_lately,
    judge_generation,
    judge_readiness,
    judge_restarts,
    judge_rollout,
    judge_symptoms,
    list_missing,
    longest_crashed_life,
)
from graph.cluster.pod_refusals import find_refusal
from graph.cluster.workloads import Document, pods_of
from graph.domain.incident import Check, Verdict, Verification
from graph.domain.proposal import Proposal, VerificationPlan
from graph.ports import ClusterReader
from tools.errors import ClusterError, ObjectNotFound
from tools.kubernetes.diff import shows_change
from tools.kubernetes.patch import APPROVAL_PATH

OnObservation = Callable[[Sequence[Check]], Awaitable[None]]


@dataclass(frozen=True)
class Observation:
    """The cluster at one moment, and the restart counts per container to compare with the next."""

    checks: tuple[Check, ...]
    restarts: Mapping[str, int]
    refusal: str = ""
    """Why the API server doesn't let the new pods in; empty if it does."""
    crashed_life: float = 0.0
    """For how many seconds the longest-lived container had run that crashed a short while ago."""

    @property
    def steady(self) -> bool:
        """Whether all held but the restarts: those are counted over the whole window at every look."""
        return all(check.held for check in self.checks if check.predicate != "restarts_stable")

    @property
    def held(self) -> bool:
        """Whether every predicate held."""
        return all(check.held for check in self.checks)

    @property
    def failed(self) -> bool:
        """Whether some predicate positively failed."""
        return any(check.held is False for check in self.checks)


@dataclass(frozen=True)
class Verifier:
    """Looks at the cluster until the plan holds for its window, or its budget is used up."""

    cluster_reader: ClusterReader
    interval_seconds: float = 2.0
    refused_seconds: float = 60.0
    """After how long without a break a refusal of the new pods ends the wait: a quota may free up."""

    async def verify(self, proposal: Proposal, on_look: OnObservation) -> Verification:
        """Return the verdict on an applied proposal; `on_look` is told whenever the picture changes."""
        plan = proposal.verification_plan
        loop = asyncio.get_running_loop()
        started, began = datetime.now(UTC), loop.time()
        stable_since: float | None = None
        refused_since: float | None = None
        history, window = History(), plan.window_seconds
        shown: tuple[Check, ...] | None = None
        looks = 0
        while True:
            look = await self.look(proposal, history.at(loop.time() - window), started)
            looks, now = looks + 1, loop.time()
            if look.checks != shown:
                await on_look(look.checks)
                shown = look.checks
            history.add(now, look.restarts)
            window = max(window, min(2 * look.crashed_life, plan.budget_seconds / 2))
            stable_since = (stable_since if stable_since is not None else now) if look.steady else None
            stable = now - stable_since if stable_since is not None else 0.0
            refused_since = (refused_since if refused_since is not None else now) if look.refusal else None
            refused = refused_since is not None and now - refused_since >= self.refused_seconds
            verdict: Verdict | None = (
                "not_verified"
                if refused
                else _judge(look, plan, window=window, stable=stable, elapsed=now - began)
            )
            if verdict:
                reason = _explain(verdict, look, plan, window=window, elapsed=now - began)
                return Verification(
                    verdict=verdict, reason=reason, checks=look.checks,
                    started_at=started, ended_at=datetime.now(UTC),
                    stable_seconds=round(stable, 1), looks=looks, refused=look.refusal,
                )  # fmt: skip
            await asyncio.sleep(self.interval_seconds)

    async def _endpoints(self, service: str, namespace: str | None) -> Document | None:
        try:
            return await self.cluster_reader.get("Endpoints", service, namespace)
        except ObjectNotFound:
            return None  # the Service is gone: that is no fault of the change

    async def look(
        self, proposal: Proposal, restarts: Mapping[str, int] | None, since: datetime | None = None
    ) -> Observation:
        """Read the cluster once. `restarts` are the counts per container as the window began; None: not yet.

        `since` is when the verification began; None: refusals of the new pods aren't looked for.
        """
        plan = proposal.verification_plan
        workload = plan.workload
        try:
            document = await self.cluster_reader.get(workload.kind, workload.name, workload.namespace)
            pods = [] if workload.kind == "Service" else await pods_of(self.cluster_reader, document)
            endpoints = [await self._endpoints(name, workload.namespace) for name in plan.services]
            awaits_pods = "rollout_complete" in plan.predicates
            refusal = (
                await find_refusal(self.cluster_reader, document, since) if since and awaits_pods else ""
            )
        except ObjectNotFound as error:
            return Observation((Check(predicate="observed_generation", held=False, detail=str(error)),), {})
        except ClusterError as error:
            detail = f"the cluster couldn't be read: {error}"
            return Observation(
                tuple(Check(predicate=name, held=None, detail=detail) for name in plan.predicates),
                {},
            )
        counts = count_restarts(pods)
        judged = {
            "observed_generation": judge_generation(document),
            "rollout_complete": judge_rollout(document),
            "pods_ready": judge_readiness(document, pods),
            "restarts_stable": judge_restarts(restarts, counts, list_missing(pods)),
            "symptom_gone": judge_symptoms(pods),
            "endpoints_present": _endpoints(endpoints),
            "in_place": _in_place(document, proposal),
        }
        return Observation(
            tuple(
                Check(predicate=name, held=judged[name][0], detail=judged[name][1])
                for name in plan.predicates
            ),
            counts,
            refusal,
            longest_crashed_life(crashed_lately(pods, datetime.now(UTC))),
        )


def doubt(verification: Verification, deviation: str) -> Verification:
    """Return a verification that takes into account what was written beyond the approval (empty: nothing).

    A workload may be healthy with what nobody approved, so that this isn't `verified`.
    """
    if not deviation:
        return verification
    verdict: Verdict = "not_verified" if verification.verdict == "not_verified" else "undetermined"
    check = Check(predicate="as_approved", held=False, detail=deviation)
    reason = f"{deviation}. Apart from that: {verification.reason}"
    return verification.model_copy(
        update={"verdict": verdict, "reason": reason, "checks": (*verification.checks, check)}
    )


@dataclass
class History:
    """The restart counts per container at each look.

    A container of which a look says nothing keeps its last count: a restart that falls into such a moment
    counts nevertheless.
    """

    looks: list[tuple[float, Mapping[str, int]]] = field(default_factory=list)

    def add(self, now: float, counts: Mapping[str, int]) -> None:
        """Remember the counts of one look."""
        known = self.looks[-1][1] if self.looks else {}
        raised = {name: max(count, known.get(name, 0)) for name, count in counts.items()}
        self.looks.append((now, {**known, **raised}))

    def at(self, moment: float) -> Mapping[str, int] | None:
        """Return the counts at a moment, or at the first look where that is later; None before any look."""
        before = (counts for at, counts in reversed(self.looks) if at <= moment)
        return next(before, self.looks[0][1] if self.looks else None)


def _judge(
    look: Observation, plan: VerificationPlan, *, window: float, stable: float, elapsed: float
) -> Verdict | None:
    if look.held and stable >= window:
        return "verified"
    if elapsed < plan.budget_seconds:
        return None
    return "not_verified" if look.failed else "undetermined"


def _explain(
    verdict: Verdict, look: Observation, plan: VerificationPlan, *, window: float, elapsed: float
) -> str:
    if look.refusal:
        return f"after {elapsed:.0f} s: the API server doesn't let the new pods in: {look.refusal}"
    if verdict == "verified":
        return f"every check held for {window:g} s without a break"
    missed = "; ".join(f"{check.predicate}: {check.detail}" for check in look.checks if not check.held)
    if not missed:
        missed = f"everything held at the end, but not yet for {window:g} s"
    return f"after {plan.budget_seconds:g} s: {missed}"


def _endpoints(endpoints: Sequence[Document | None]) -> Finding:
    empty = [
        item["metadata"]["name"]
        for item in endpoints
        if item and not any(subset.get("addresses") for subset in item.get("subsets") or [])
    ]
    if empty:
        return False, f"no ready address behind {', '.join(empty)}"
    return (None, "a Service is gone") if None in endpoints else (True, "every Service has ready addresses")


def _in_place(workload: Document, proposal: Proposal) -> Finding:
    """Whether the object is as approved. If somebody changed it since, nothing is proved about a fix."""
    missing = [
        change.path
        for change in proposal.diff
        if change.path != APPROVAL_PATH and not shows_change(workload, change)
    ]
    if not missing:
        return True, "the object is as approved"
    return None if proposal.purpose == "fix" else False, f"changed since: {', '.join(missing)}"
