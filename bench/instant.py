"""Model and tools that answer at once, so that what is measured is mendgate and not what it waits for.

The course is the seed's: describe the pod, propose the image that ran before, patch, look.
"""

import asyncio
import copy
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from checkpoints.ledger import Ledger
from graph.builder import Nodes
from graph.cluster.verification import Verifier
from graph.domain.alerts.targets import Target
from graph.domain.diagnosis import CallTools, Candidate, Diagnosis, DiagnosisStep, ProposePatch, ReadCall
from graph.nodes.conclusion import Conclusion
from graph.nodes.investigation import Investigation
from graph.nodes.remediation import Remediation
from graph.policy import refuse_object
from graph.ports import Case, Diagnostician, PauseAnswerHandler
from graph.proposals.drafting import ProposalBuilder
from tools.executor import Executor
from tools.kubernetes.patch import PatchArguments
from tools.kubernetes.transport import Answer
from tools.mcp.results import ToolResult
from tools.mcp.session import ServerIdentity
from tools.mcp.toolbox import OWN_SERVER, ToolOffer
from tools.sandbox.api_server.patching.strategic_merge import apply_strategic_patch

NAMESPACE = "shop"
_POD = re.compile(r"-[a-z0-9]{10}-[a-z0-9]{5}$")
_REPLICA_SET = re.compile(r"-[a-z0-9]{10}$")
_HASH = "85c88b48cd"
_SUFFIXES = ("6kmxz", "g8d82", "v2v8p")
_BROKEN, _WORKING = "nginx:1.25-", "nginx:1.25"
_DESCRIPTION = "Name: {name}\n" + "".join(
    f'  Warning  Failed  {number}s  kubelet  Failed to pull image "nginx:1.25-"; nginx:1.25 ran before\n'
    for number in range(40)
)  # fmt: skip
Object = dict[str, Any]


class InstantCluster:
    """Deployments of three pods, each there as soon as it is asked for, and healthy once it is patched.

    `tell` hears the names of those that are patched, at once.
    """

    def __init__(self, tell: Callable[[str], None] = lambda _: None) -> None:
        self._tell = tell
        self._patched: dict[str, Object] = {}

    async def get(self, kind: str, name: str, namespace: str | None) -> Object:
        """Return a pod, a ReplicaSet or a Deployment, whatever its name."""
        match kind.lower():
            case "pod":
                return _pod(_POD.sub("", name), name, self._image_of(_POD.sub("", name)))
            case "replicaset":
                return _replica_set(_REPLICA_SET.sub("", name))
            case _:
                return self._deployment(name)

    async def list(
        self, kind: str, namespace: str | None, *, label_selector: str | None = None
    ) -> list[Object]:
        """Return what belongs to the Deployment that the selector names; there are no Services."""
        workload = (label_selector or "").removeprefix("app=")
        match kind:
            case "Pod":
                image = self._image_of(workload)
                return [_pod(workload, f"{workload}-{_HASH}-{suffix}", image) for suffix in _SUFFIXES]
            case "ReplicaSet":
                return [_replica_set(workload)]
            case _:
                return []

    async def patch(
        self,
        _kind: str,
        name: str,
        _namespace: str | None,
        _patch_type: str,
        body: Object,
        *,
        dry_run: bool,
    ) -> Answer:
        """Return the Deployment with the patch, which no warning follows; `dry_run` keeps it as it is."""
        patched = apply_strategic_patch("Deployment", self._deployment(name), body)
        patched["metadata"]["generation"] += 1
        patched["status"]["observedGeneration"] = patched["metadata"]["generation"]
        if not dry_run:
            patched["metadata"]["resourceVersion"] = str(int(patched["metadata"]["resourceVersion"]) + 1)
            patched["status"] |= {"readyReplicas": 3, "availableReplicas": 3}
            self._patched[name] = patched
            self._tell(name)
        return Answer(patched)

    def _image_of(self, name: str) -> str:
        image: str = self._deployment(name)["spec"]["template"]["spec"]["containers"][0]["image"]
        return image

    def _deployment(self, name: str) -> Object:
        known = self._patched.get(name)
        return copy.deepcopy(known) if known else _deployment(name)


@dataclass(frozen=True)
class InstantWriter:
    """The session of an MCP server that patches the instant cluster."""

    cluster: InstantCluster

    async def identity(self) -> ServerIdentity:
        """Return who it is."""
        return ServerIdentity("instant", "1", {"kubectl_patch": "0" * 64})

    async def call(self, _tool: str, arguments: Mapping[str, Any]) -> ToolResult:
        """Patch."""
        await self.cluster.patch(
            "", arguments["name"], None, "strategic", arguments["patchData"], dry_run=False
        )
        return ToolResult(text="patched", is_error=False)


@dataclass(frozen=True)
class SilentMind:
    """A model that never answers: what waits for it costs nothing more. `tell` hears when something does."""

    tell: Callable[[], None]

    async def decide(self, case: Case) -> DiagnosisStep:
        """Wait for ever."""
        self.tell()
        await asyncio.Event().wait()
        raise AssertionError(case)


class InstantReader:
    """An MCP server's reading tools, all of which answer the same."""

    async def offers(self) -> Sequence[ToolOffer]:
        """Return the one tool."""
        return (ToolOffer(OWN_SERVER, "kubectl_describe", "", {}),)

    async def call(self, _server: str, _tool: str, arguments: Mapping[str, Any]) -> ToolResult:
        """Describe."""
        return ToolResult(text=_DESCRIPTION.format(name=arguments["name"]), is_error=False)


@dataclass(frozen=True)
class InstantMind:
    """Makes `calls` calls, one at a time, and proposes the patch."""

    calls: int = 1

    async def decide(self, case: Case) -> DiagnosisStep:
        """Return the next step of the course."""
        target, seen = case.target, len(case.evidence)
        if seen < self.calls:
            about = {"resourceType": "deployment", "name": target.name, "namespace": target.namespace}
            call = ReadCall(tool="kubectl_describe", arguments=about)
            return DiagnosisStep(step=CallTools(reason="describe it", calls=(call,)))
        container = {"name": "nginx", "image": _WORKING}
        candidate = Candidate(
            call=PatchArguments(
                resource_type="deployment",
                name=target.name,
                namespace=target.namespace or "",
                patch_data={"spec": {"template": {"spec": {"containers": [container]}}}},
            ),
            grounding="evidence",
            basis="nginx:1.25 ran before",
        )
        diagnosis = Diagnosis(
            summary="the image's tag has a typing error",
            cause="nginx:1.25- can't be pulled",
            root_causes=(Target(kind="Deployment", namespace=target.namespace, name=target.name),),
            evidence=("E1",),
            source="runbook",
            confidence="high",
        )
        return DiagnosisStep(
            step=ProposePatch(reason="set it right", diagnosis=diagnosis, candidate=candidate)
        )


def make_nodes(
    ledger: Ledger,
    diagnostician: Diagnostician,
    cluster: InstantCluster,
    desk: PauseAnswerHandler | None = None,
) -> Nodes:
    """Return mendgate's nodes with what answers at once around them."""
    policy = ledger.policy
    writer = InstantWriter(cluster)
    executor = Executor(cluster, writer, ledger.approvals, refuse_object, pause_seconds=0.02)  # type: ignore[arg-type]  # as much of a Cluster and a ToolSession as it uses
    return Nodes(
        Investigation(ledger.incidents, InstantReader(), diagnostician, cluster, policy, most_steps=200),
        Remediation(
            ledger.incidents,
            ledger.approvals,
            ProposalBuilder(cluster, executor, ledger.incidents, policy),
            executor,
            policy,
            desk=desk,
        ),
        Conclusion(ledger.incidents, ledger.approvals, Verifier(cluster, interval_seconds=0.02)),
    )


POLICY = "name: bench\nverification: {window: 0.01s, budget: 60s}\nwrites_per_hour: 1000\n"
"""Windows as short as can be: waiting isn't what is measured."""


def _metadata(name: str, kind: str, owner: Object | None = None) -> Object:
    owned = {"ownerReferences": [{**owner, "controller": True}]} if owner else {}
    return {"name": name, "namespace": NAMESPACE, "uid": f"uid-{kind}-{name}", **owned}


def _deployment(name: str) -> Object:
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {**_metadata(name, "deployment"), "generation": 2, "resourceVersion": "41"},
        "spec": {
            "replicas": 3,
            "selector": {"matchLabels": {"app": name}},
            "template": {
                "metadata": {"labels": {"app": name}},
                "spec": {"containers": [{"name": "nginx", "image": _BROKEN}]},
            },
        },
        "status": {
            "observedGeneration": 2,
            "replicas": 3,
            "updatedReplicas": 3,
            "readyReplicas": 0,
            "availableReplicas": 0,
        },
    }


def _replica_set(workload: str) -> Object:
    owner = {"kind": "Deployment", "name": workload, "uid": f"uid-deployment-{workload}"}
    return {"kind": "ReplicaSet", "metadata": _metadata(f"{workload}-{_HASH}", "rs", owner)}


def _pod(workload: str, name: str, image: str) -> Object:
    ready = image == _WORKING
    owner = {"kind": "ReplicaSet", "name": f"{workload}-{_HASH}", "uid": f"uid-rs-{workload}-{_HASH}"}
    state = {"running": {}} if ready else {"waiting": {"reason": "ImagePullBackOff"}}
    return {
        "kind": "Pod",
        "metadata": _metadata(name, "pod", owner),
        "status": {
            "phase": "Running",
            "conditions": [{"type": "Ready", "status": str(ready)}],
            "containerStatuses": [{"name": "nginx", "restartCount": 0, "state": state, "lastState": {}}],
        },
    }
