"""Drawing up proposals: what the dry-run shows decides, and each new value is traced or called a guess."""

import copy
from dataclasses import dataclass, field, replace
from typing import Any, cast

import pytest

from graph.domain.alerts.targets import Target
from graph.domain.changes.dangers import dangers_in
from graph.domain.diagnosis import Candidate, Evidence
from graph.domain.proposal import Proposal
from graph.ports import ActionExecutor, ClusterReader, Grounds, IncidentLedger
from graph.proposals.drafting import ProposalBuilder, Refused
from graph.safety.own_objects import OwnPod
from tests.unit.graph.llm.model_cases import piece
from tests.unit.graph.report.test_report import case
from tools.errors import ClusterError
from tools.grants import ExecutingServer, Preview
from tools.kubernetes.diff import diff_objects
from tools.kubernetes.patch import PatchArguments, merge
from tools.registry.client import Lookup

Object = dict[str, Any]
WEB: Object = {
    "kind": "Deployment",
    "metadata": {"name": "web", "namespace": "default", "uid": "u", "generation": 1},
    "spec": {
        "replicas": 1,
        "selector": {"matchLabels": {"app": "web"}},
        "template": {
            "metadata": {"labels": {"app": "web"}},
            "spec": {"containers": [{"name": "web", "image": "nginx:1.25-"}]},
        },
    },
}


@dataclass
class Cluster:
    """An API server that merges containers by name, and knows the container fields `known`."""

    known: frozenset[str] = frozenset({"name", "image", "args"})
    warnings: tuple[str, ...] = ()

    async def preview(self, call: PatchArguments, approval_id: str) -> Preview:
        stamped = call.stamped(approval_id, None)
        assert isinstance(stamped.patch_data, dict)
        after = copy.deepcopy(WEB)
        after["metadata"] = merge(after["metadata"], stamped.patch_data["metadata"])
        (container,) = stamped.patch_data["spec"]["template"]["spec"]["containers"]
        pod = after["spec"]["template"]["spec"]
        kept = {key: value for key, value in container.items() if key in self.known}
        pod["containers"] = [pod["containers"][0] | kept]
        server = ExecutingServer(name="s", version="1", schema_sha256="0" * 64)
        return Preview(
            arguments=stamped, server=server, kind="Deployment", uid="u", diff=diff_objects(WEB, after),
            before=WEB, after=after, warnings=self.warnings,
        )  # fmt: skip

    async def get(self, kind: str, name: str, namespace: str | None) -> Object:
        return WEB

    async def list(
        self, kind: str, namespace: str | None, *, label_selector: str | None = None
    ) -> list[Object]:
        return []


TARGET = Target(kind="Deployment", namespace="default", name="web")


@dataclass
class Ledger:
    """A ledger that holds what was read."""

    evidence: tuple[Evidence, ...]

    async def grounds(self, incident_id: str) -> Grounds:
        return Grounds(case().group, self.evidence, TARGET)


@dataclass
class Registry:
    """A registry that always answers the same, and remembers what it was asked."""

    answer: Lookup
    asked: list[tuple[str, str, str]] = field(default_factory=list)

    async def look_up(self, host: str, repository: str, reference: str) -> Lookup:
        self.asked.append((host, repository, reference))
        return self.answer


def candidate(**container: Any) -> Candidate:
    call = PatchArguments(
        resource_type="deployment",
        name="web",
        namespace="default",
        patch_data={"spec": {"template": {"spec": {"containers": [{"name": "web", **container}]}}}},
    )
    return Candidate(call=call, grounding="last_good_revision", basis="Revision 1 ran it.")


async def draft(
    change: Candidate,
    *texts: str,
    registry: Registry | None = None,
    cluster: Cluster | None = None,
    own_pod: OwnPod | None = None,
) -> Proposal:
    cluster = cluster or Cluster()
    ledger = Ledger(tuple(piece(number, text) for number, text in enumerate(texts, 1)))
    proposal_builder = ProposalBuilder(
        cast("ClusterReader", cluster),
        cast("ActionExecutor", cluster),
        cast("IncidentLedger", ledger),
        registry=registry,
        own_pod=own_pod,
    )
    return await proposal_builder.draft(change, incident_id="inc-1")


async def test_a_value_that_the_evidence_holds_keeps_what_the_mind_declared() -> None:
    proposal = await draft(candidate(image="nginx:1.25"), "image: nginx:1.25")

    assert (proposal.grounding, proposal.risk) == ("last_good_revision", "low")
    assert [trace.evidence for trace in proposal.traces] == ["E1"]


async def test_a_value_that_no_evidence_holds_is_a_guess_whatever_the_mind_declared() -> None:
    proposal = await draft(candidate(image="nginx:1.26"), "image: nginx:1.25")

    assert (proposal.grounding, proposal.risk) == ("guess", "high")
    assert "nowhere" in proposal.traces[0].place


async def test_a_persons_edit_is_traced_like_everybody_elses() -> None:
    edit = candidate(image="nginx:1.26").model_copy(update={"grounding": "person"})

    assert (await draft(edit)).grounding == "guess"
    assert (await draft(edit, "image: nginx:1.26")).grounding == "person"


async def test_an_edited_undo_isnt_taken_for_what_the_object_had() -> None:
    undo = candidate(image="nginx:1.26").model_copy(update={"purpose": "undo"})
    edited = undo.model_copy(update={"grounding": "person"})

    assert (await draft(undo)).traces[0].origin == "before"
    assert (await draft(edited)).grounding == "guess"


async def test_a_change_of_more_values_than_can_be_traced_is_refused() -> None:
    with pytest.raises(Refused, match="the patch sets 301 values"):
        await draft(candidate(args=[str(one) for one in range(301)]))


async def test_where_the_values_come_from_is_bound_by_the_digest() -> None:
    one, other = (
        await draft(candidate(image="nginx:1.25")),
        await draft(candidate(image="nginx:1.25"), "image: nginx:1.25"),
    )

    same = {"id": "apr-1", "arguments": one.arguments, "diff": one.diff}
    assert one.model_copy(update=same).digest != other.model_copy(update=same).digest


async def test_a_field_that_the_server_would_drop_is_refused_by_name() -> None:
    with pytest.raises(Refused, match=r"would drop spec\.template\.spec\.containers\[web\]\.imagee"):
        await draft(candidate(image="nginx:1.25", imagee="nginx:1.25"))


async def test_a_patch_that_changes_nothing_is_refused() -> None:
    with pytest.raises(Refused, match="change nothing"):
        await draft(candidate(image="nginx:1.25-"))


async def test_an_image_that_its_registry_doesnt_have_is_refused_with_the_nearest_tags() -> None:
    registry = Registry(Lookup("absent", "its registry doesn't have it", ("1.25", "1.24")))

    with pytest.raises(Refused, match=r"nginx:1\.26 doesn't exist.*nearest tags: 1\.25, 1\.24"):
        await draft(candidate(image="nginx:1.26"), registry=registry)
    assert registry.asked == [("docker.io", "library/nginx", "1.26")]


async def test_an_image_that_its_registry_cant_speak_for_is_a_guess_even_if_it_is_known() -> None:
    registry = Registry(Lookup("unknown", "it didn't answer"))

    proposal = await draft(candidate(image="nginx:1.25"), "image: nginx:1.25", registry=registry)

    assert (proposal.grounding, proposal.risk) == ("guess", "high")
    assert "it didn't answer" in proposal.traces[0].place


@pytest.mark.parametrize(("text", "grounding"), [("image: nginx:1.25", "last_good_revision"), ("", "guess")])
async def test_that_an_image_exists_doesnt_make_it_the_right_one(text: str, grounding: str) -> None:
    proposal = await draft(candidate(image="nginx:1.25"), text, registry=Registry(Lookup("exists")))

    assert proposal.grounding == grounding
    assert "its registry has it" in proposal.traces[0].place


async def test_a_registry_that_isnt_listed_changes_nothing_and_other_fields_ask_none() -> None:
    registry, idle = Registry(Lookup("not_asked")), Registry(Lookup("absent"))

    proposal = await draft(candidate(image="nginx:1.25"), "image: nginx:1.25", registry=registry)
    await draft(candidate(args=["nginx:1.25"]), registry=idle)

    assert proposal.grounding == "last_good_revision"
    assert idle.asked == []


OWN = OwnPod(name="web-5c989f4f99-x2x8z", namespace="default")


async def test_its_own_deployment_is_left_to_a_person() -> None:
    with pytest.raises(Refused, match="Deployment/web is mendgate itself"):
        await draft(candidate(image="nginx:1.25"), "image: nginx:1.25", own_pod=OWN)


@pytest.mark.parametrize(
    "other", [replace(OWN, namespace="shop"), replace(OWN, name="webshop-5c989f4f99-x2x8z"), None]
)
async def test_anothers_deployment_is_not_its_own(other: OwnPod | None) -> None:
    proposal = await draft(candidate(image="nginx:1.25"), "image: nginx:1.25", own_pod=other)

    assert proposal.target.name == "web"


@dataclass
class Pods:
    """A cluster that holds one pod, or refuses to show it."""

    labels: Object | None

    async def get(self, kind: str, name: str, namespace: str | None) -> Object:
        if self.labels is None:
            raise ClusterError("forbidden")
        return {"metadata": {"name": name, "labels": self.labels}}


@pytest.mark.parametrize(
    ("labels", "refused"),
    [({"app": "web", "x": "y"}, True), ({"app": "shop"}, False), ({}, False), (None, True)],
)
async def test_a_service_before_it_is_left_to_a_person(labels: Object | None, refused: bool) -> None:
    metadata = {"name": "front", "namespace": "default"}
    service = {"kind": "Service", "metadata": metadata, "spec": {"selector": {"app": "web"}}}

    refusal = await OWN.refuse(service, cast("ClusterReader", Pods(labels)))

    assert (refusal is not None) is refused


def test_it_knows_itself_by_the_downward_api_alone() -> None:
    assert OwnPod.of({"POD_NAME": "a-0", "POD_NAMESPACE": "b"}) == OwnPod(name="a-0", namespace="b")
    assert OwnPod.of({"POD_NAME": "a-0"}) is None
    assert OwnPod.of({}) is None


async def test_what_the_server_warns_about_is_shown_and_bound_by_the_digest() -> None:
    warned = "would violate PodSecurity *restricted*"
    plain = await draft(candidate(image="nginx:1.25"))
    proposal = await draft(candidate(image="nginx:1.25"), cluster=Cluster(warnings=(warned,)))

    (reason,) = (one for one in proposal.risk_reasons if one not in plain.risk_reasons)
    assert reason == "the API server warns: would violate PodSecurity \u2217restricted\u2217"
    assert [one.level for one in dangers_in([warned])] == ["medium"]
    changed = proposal.model_copy(update={"risk_reasons": plain.risk_reasons})
    assert changed.digest != proposal.digest
