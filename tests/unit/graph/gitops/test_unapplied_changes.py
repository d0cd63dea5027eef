"""A repair that is known and isn't mendgate's to make: what a person is told to set, where and why."""

import copy
from dataclasses import dataclass, field
from typing import Any, cast

import pytest
from langgraph.runtime import Runtime

from graph.domain.alerts.payload import AlertGroup
from graph.domain.diagnosis import Candidate, Source
from graph.domain.incident import Entry
from graph.nodes.remediation import Remediation
from graph.policy import BUILT_IN, Policy, parse_policy
from graph.ports import ActionExecutor, ApprovalLedger, ClusterReader, IncidentLedger
from graph.proposals.drafting import ProposalBuilder
from graph.report import render_report
from graph.state import IncidentState, RunContext
from tests.unit.graph.domain.test_alerts_and_targets import real_body
from tests.unit.graph.proposals.test_drafting import WEB, Cluster, Object, candidate
from tests.unit.graph.report.report_cases import at, case_file, diagnosis, incident
from tools.errors import ClusterError, PermissionDenied, RequestRejected
from tools.grants import Preview
from tools.kubernetes.patch import PatchArguments

GOOD, BAD = "nginx:1.25", "nginx:1.25-"
ARGO = {"annotations": {"argocd.argoproj.io/tracking-id": "shop:apps/Deployment:default/web"}}
ARGO_ELSEWHERE = {
    "annotations": {"argocd.argoproj.io/tracking-id": "team-a_shop:apps/Deployment:default/web"}
}
ARGO_LABEL = {"labels": {"argocd.argoproj.io/instance": "shop"}}
FLUX = {
    "labels": {
        "kustomize.toolkit.fluxcd.io/name": "apps",
        "kustomize.toolkit.fluxcd.io/namespace": "flux-system",
    }
}
FLUX_HELM = {"labels": {"helm.toolkit.fluxcd.io/name": "web", "helm.toolkit.fluxcd.io/namespace": "delivery"}}
FLUX_ONE = {"annotations": {"fluxcd.io/sync-checksum": "7d3f"}}
OPERATED = {
    "ownerReferences": [
        {"apiVersion": "web.example.com/v1", "kind": "Site", "name": "main", "uid": "s", "controller": True}
    ]
}
HELM = {"annotations": {"meta.helm.sh/release-name": "front", "meta.helm.sh/release-namespace": "default"}}


@dataclass
class Owned(Cluster):
    """An API server whose Deployment carries marks, or that refuses every patch."""

    metadata: Object = field(default_factory=dict)
    refusal: ClusterError | None = None

    @property
    def live(self) -> Object:
        return {**WEB, "metadata": {**WEB["metadata"], **self.metadata}}

    async def preview(self, call: PatchArguments, approval_id: str) -> Preview:
        if self.refusal:
            raise self.refusal
        seen = await super().preview(call, approval_id)
        return seen.model_copy(update={"before": self.live})

    async def get(self, kind: str, name: str, namespace: str | None) -> Object:
        return copy.deepcopy(self.live)


class Written:
    """A ledger that remembers what was written down."""

    def __init__(self) -> None:
        self.entries: list[Entry] = []

    async def record(self, incident_id: str, epoch: int, kind: Any, data: Object, **_: Any) -> None:
        self.entries.append(Entry(seq=len(self.entries) + 1, at=at(1), kind=kind, data=data))


@dataclass
class Told:
    """What came of a candidate: the state's changes, and what was written down."""

    update: Object
    written: Written

    @property
    def advice(self) -> str:
        return "\n".join(self.update["ending"].advice)

    @property
    def report(self) -> str:
        told = incident(diagnosis=diagnosis(), verdict=None, verification=None)
        file = case_file(incident=told, approvals=(), timeline=tuple(self.written.entries))
        return render_report(file, self.update["ending"])


async def propose(
    change: Candidate,
    cluster: Owned,
    policy: Policy = BUILT_IN,
    *,
    writer: bool = True,
    source: Source = "runbook",
    **state: Any,
) -> Told:
    written = Written()
    proposal_builder = ProposalBuilder(
        cast("ClusterReader", cluster),
        cast("ActionExecutor", cluster),
        cast("IncidentLedger", written),
        policy,
    )
    node = Remediation(
        cast("IncidentLedger", written),
        cast("ApprovalLedger", None),
        proposal_builder if writer else None,
        None,
        policy,
        cluster_reader=cast("ClusterReader", cluster),
    )
    run = IncidentState(
        alert=AlertGroup.model_validate(real_body()),
        incident_id="inc-1",
        candidate=change,
        diagnosis=diagnosis(source=source),
        proposal_id="apr-1",
        **state,
    )
    return Told(await node.propose_fix(run, Runtime(context=RunContext())), written)


def in_kube_system(change: Candidate) -> Candidate:
    call = change.call.model_copy(update={"namespace": "kube-system"})
    return change.model_copy(update={"call": call})


@pytest.mark.parametrize(
    ("metadata", "place", "command"),
    [
        (
            ARGO,
            "in Git, in the source of Argo CD's Application shop (managed by GitOps)",
            "kubectl get applications.argoproj.io -A --field-selector metadata.name=shop -o yaml",
        ),
        (
            ARGO_ELSEWHERE,
            "Argo CD's Application shop in team-a",
            "kubectl get applications.argoproj.io -n team-a",
        ),
        (ARGO_LABEL, "in Git, in the source of Argo CD's Application shop", "metadata.name=shop"),
        (
            FLUX,
            "in Git, in Flux's Kustomization apps in flux-system",
            "kubectl get kustomizations.kustomize.toolkit.fluxcd.io apps -n flux-system -o yaml",
        ),
        (
            FLUX_HELM,
            "in Git, in the values of Flux's HelmRelease web in delivery",
            "kubectl get helmreleases.helm.toolkit.fluxcd.io web -n delivery -o yaml",
        ),
        (FLUX_ONE, "in Git, where the manifest comes from (managed by GitOps: fluxcd.io/sync-checksum)", ""),
        (
            OPERATED,
            "in the owning resource Site/main in default",
            "kubectl get site.web.example.com main -n default -o yaml",
        ),
        (
            OPERATED | FLUX,
            "in the owning resource Site/main in default, from which its controller makes",
            "Site",
        ),
    ],
)
async def test_who_owns_an_object_is_told_what_to_set_and_where(
    metadata: Object, place: str, command: str
) -> None:
    told = await propose(candidate(image=GOOD), Owned(metadata=metadata))

    assert told.update["ending"].status == "handed_over"
    assert f"Set image of container web to {GOOD} (it is {BAD}) on Deployment/web in default" in told.advice
    assert "Why: Revision 1 ran it." in told.advice
    assert "[E1]" in told.advice
    assert place in told.advice
    assert command in told.advice
    assert "kubectl get deployment web -n default -o jsonpath='{.spec.template.spec.containers" in told.advice
    assert "kubectl patch" not in told.advice
    assert "the repair is known" in told.update["ending"].reason


async def test_the_report_shows_the_change_as_not_applied() -> None:
    report = (await propose(candidate(image=GOOD), Owned(metadata=ARGO))).report

    assert "No change was proposed; the cluster was not changed." in report
    section = report.partition("Not proposed and **not applied**: Deployment/web: image of container web")[2]
    assert f'| `spec.template.spec.containers[web].image` | `"{BAD}"` | `"{GOOD}"` |' in section
    assert "managed by GitOps" in section
    assert "kubectl patch deployment web" in section


async def test_a_protected_namespace_gets_the_change_with_the_value_before() -> None:
    told = await propose(in_kube_system(candidate(image=GOOD)), Owned(metadata=HELM))

    assert f"Set image of container web to {GOOD} (it is {BAD})" in told.advice
    assert "in the chart or the values of the Helm release front in default" in told.advice
    assert "namespace kube-system is protected" in told.update["ending"].reason


@pytest.mark.parametrize("writer", [True, False])
async def test_without_the_right_to_write_a_person_gets_the_same_change_as_a_command(writer: bool) -> None:
    forbidden = PermissionDenied('deployments.apps "web" is forbidden: cannot patch', code=403)

    told = await propose(candidate(image=GOOD), Owned(refusal=forbidden), writer=writer)

    assert f"Set image of container web to {GOOD} (it is {BAD})" in told.advice
    assert "in the manifest that it was applied from" in told.advice
    assert "To apply it yourself: kubectl patch deployment web -n default" in told.advice


async def test_what_a_policy_closes_is_remembered_while_other_changes_are_thought_of() -> None:
    closed = parse_policy("name: tested\npatch: {Deployment: [spec.replicas]}", "policy.yaml")

    told = await propose(candidate(image=GOOD), Owned(), closed)

    assert "ending" not in told.update
    assert f"Set image of container web to {GOOD} (it is {BAD})" in "\n".join(told.update["unapplied"])
    assert "isn't among the fields that may be changed" in told.update["failed_attempts"][0]


async def test_when_its_rounds_are_used_up_the_last_change_is_told_in_full() -> None:
    told = await propose(candidate(image=GOOD), Owned(), rounds=3)

    assert f"Set image of container web to {GOOD} (it is {BAD})" in told.advice


@pytest.mark.parametrize(
    ("change", "refusal"),
    [
        (candidate(image="nginx:latest"), None),
        (candidate(args=["--password=hunter22-is-mine"]), None),
        (candidate(image=GOOD), RequestRejected("admission webhook says no", code=422)),
        (candidate(image=GOOD), PermissionDenied('admission webhook "x" denied the request', code=403)),
    ],
)
async def test_what_is_wrong_in_itself_is_recommended_to_nobody(
    change: Candidate, refusal: ClusterError | None
) -> None:
    told = await propose(change, Owned(metadata=ARGO if refusal is None else {}, refusal=refusal))

    said = str(told.update.get("unapplied", "")) + str(told.update.get("ending", ""))
    assert "Set image" not in said
    assert "hunter22" not in said
    assert all(entry.kind != "not_proposed" for entry in told.written.entries)


async def test_a_secret_is_spelled_neither_in_the_advice_nor_in_the_report() -> None:
    change = candidate(image=GOOD, env=[{"name": "DB_PASSWORD", "value": "hunter22-is-mine"}])

    told = await propose(in_kube_system(change), Owned())

    assert "variable DB_PASSWORD" in told.advice
    for said in (told.advice, told.report, str(told.written.entries)):
        assert "hunter22" not in said


async def test_hostile_marks_reach_no_command() -> None:
    hostile = {
        "annotations": {"argocd.argoproj.io/tracking-id": "x; rm -rf /:apps/Deployment:default/web"},
        "ownerReferences": [
            {"kind": "Site$(id)", "name": "a b", "controller": True, "apiVersion": "v1;ls/v1"}
        ],
    }

    told = await propose(candidate(image=GOOD), Owned(metadata=hostile))

    assert "rm -rf" not in told.advice
    assert "$(id)" not in told.advice
    assert f"Set image of container web to {GOOD}" in told.advice


async def test_a_model_hears_of_the_owner_and_its_change_stays_its_word() -> None:
    told = await propose(candidate(image=GOOD), Owned(metadata=ARGO), source="model")

    assert "managed by GitOps" in told.update["failed_attempts"][0]
    assert all(line.startswith("the model says: ") for line in told.update["unapplied"])


async def test_long_values_and_many_changes_are_bounded() -> None:
    env = [{"name": f"V{number}", "value": "x" * 1_000} for number in range(40)]
    told = await propose(in_kube_system(candidate(env=env)), Owned())

    (entry,) = [one for one in told.written.entries if one.kind == "not_proposed"]
    assert len(entry.data["changes"]) == 20
    assert entry.data["left_out"] == 20
    assert len(str(entry.data)) < 25_000
    assert len(told.advice) < 10_000
