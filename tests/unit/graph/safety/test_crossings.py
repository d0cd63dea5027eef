"""What every proposal is examined for, an edit too: other places' values, and data under an older image."""

import copy
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, cast

import pytest

from graph.domain.changes.new_values import changed_values, proposed_values
from graph.domain.diagnosis import Candidate, Grounding
from graph.domain.naming.identity import Labelled, identify
from graph.ports import ActionExecutor, ClusterReader, IncidentLedger
from graph.proposals.drafting import ProposalBuilder
from graph.safety.crossings import find_crossings
from graph.safety.foreign_values import find_strays
from tests.unit.graph.llm.model_cases import piece
from tests.unit.graph.proposals.test_drafting import Cluster, Ledger, candidate
from tools.errors import ClusterError
from tools.kubernetes.diff import diff_objects
from tools.kubernetes.patch import merge

Object = dict[str, Any]


def workload(name: str, labels: Mapping[str, str] | None = None, **pod: Any) -> Object:
    template = {"metadata": {"labels": {"app": name, **(labels or {})}}, "spec": pod}
    return {
        "kind": "Deployment",
        "metadata": {"name": name, "namespace": "shop", "uid": f"u-{name}", "labels": dict(labels or {})},
        "spec": {"selector": {"matchLabels": {"app": name}}, "template": template},
    }


def container(**fields: Any) -> Object:
    return {"name": "app", "image": "acme/checkout:3.0.0", **fields}


@dataclass
class Neighbourhood:
    """An ClusterReader that lists these Deployments, and these pods of the one that is changed."""

    deployments: list[Object] = field(default_factory=list)
    pods: list[Object] = field(default_factory=list)
    refuses: bool = False

    async def list(
        self, kind: str, namespace: str | None, *, label_selector: str | None = None
    ) -> list[Object]:
        if self.refuses:
            raise ClusterError("forbidden")
        owned = {"ownerReferences": [{"uid": "u-checkout", "controller": True}]}
        sets = [{"metadata": {"name": "checkout-1", "uid": "rs", **owned}}]
        return {"Deployment": self.deployments, "ReplicaSet": sets, "Pod": self.pods}.get(kind, [])


async def cross(
    before: Object, changed: Object, *neighbours: Object, cluster_reader: Neighbourhood | None = None
) -> str:
    after = copy.deepcopy(before)
    (now,) = after["spec"]["template"]["spec"]["containers"]
    after["spec"]["template"]["spec"]["containers"] = [merge(now, changed)]
    patch = {"spec": {"template": {"spec": {"containers": [{"name": "app", **changed}]}}}}
    values = changed_values(diff_objects(before, after), patch)
    there = cluster_reader or Neighbourhood([before, *neighbours])
    dangers = await find_crossings(cast("ClusterReader", there), before, values)
    assert all(danger.level == "high" for danger in dangers)
    return "; ".join(danger.words for danger in dangers)


def reading(name: str) -> Object:
    return {"envFrom": [{"configMapRef": {"name": name}}]}


def env(**variables: str) -> Object:
    return {"env": [{"name": name, "value": value} for name, value in variables.items()]}


@pytest.mark.parametrize(
    ("name", "before", "changed", "words"),
    [
        (
            "orders-stg",
            reading("orders-stg"),
            reading("orders-prd"),
            "names prd, and Deployment/orders-stg is stg",
        ),
        ("orders-canary", {}, reading("orders-qa"), "names qa"),
        ("orders-eu-west-1", {}, reading("orders-use1"), "names use1"),
        ("orders-westeurope", {}, env(HOST="db.eastus2.acme.internal"), "names eastus2"),
        ("orders-stg", {}, env(DB_URL="postgres://db-prod.acme:5432/orders"), "names prod"),
        ("orders-uat", {}, env(STAGE="production"), "names production"),
        ("orders-us", {}, env(AWS_REGION="eu-central-1"), "names eu-central-1"),
        ("orders-stg", {}, {"args": ["--config", "/etc/orders/prd-eu.yaml"]}, "names prd"),
        ("orders", reading("orders-stg"), reading("orders-prd"), "names prd instead of stg"),
        ("orders-stg", {}, {"image": "acme/checkout-prod:3.0.0"}, "names prod"),
        (
            "orders-preprod",
            {},
            reading("orders-prod"),
            "names prod, and Deployment/orders-preprod is preprod",
        ),
        ("checkout", {}, {"image": "acme/checkout:3.0.0-debug"}, "has debug in its tag"),
        (
            "checkout",
            {"image": "acme/p:api-1.2"},
            {"image": "acme/p:worker-1.1"},
            "names worker instead of api",
        ),
        ("checkout", {"image": "acme/p:checkout-1.2"}, {"image": "acme/p:1.2"}, "lacks checkout in its tag"),
    ],
)
async def test_a_value_of_another_place_is_said_in_words(
    name: str, before: Object, changed: Object, words: str
) -> None:
    assert words in await cross(workload(name, containers=[container(**before)]), changed)


@pytest.mark.parametrize(
    ("own", "neighbour", "changed", "words"),
    [
        ("acme-api", "globex-api", reading("globex-config"), "names globex"),
        ("acme-api", "globex-api", env(SCHEMA="globex_main"), "names globex"),
        ("shop-web", "shop-cart", reading("cart-config"), "names cart"),
    ],
)
async def test_a_neighbour_s_word_is_another_tenant_s_or_part_s(
    own: str, neighbour: str, changed: Object, words: str
) -> None:
    assert words in await cross(workload(own, containers=[container()]), changed, workload(neighbour))


async def test_a_label_tells_the_tenant_where_names_do_not() -> None:
    own = workload("checkout", {"acme.io/tenant": "acme"}, containers=[container()])

    assert "names globex" in await cross(
        own, env(DB="db-globex"), workload("refund", {"acme.io/tenant": "globex"})
    )


@pytest.mark.parametrize(
    ("name", "before", "changed"),
    [
        ("orders-stg", reading("orders-confg-stg"), reading("orders-config-stg")),
        ("orders-stg", {}, env(NODE_ENV="production")),
        ("orders-stg", {}, env(GREETING="welcome to production")),
        ("orders-stg", {"image": "registry.prod.acme.io/o:1.1"}, {"image": "registry.prod.acme.io/o:1.0"}),
        ("orders-eu", {}, env(BUCKET="orders-eu-west-1")),
        ("orders", {}, reading("orders-prd")),
        ("orders-prd", {}, reading("orders-production")),
        ("web", {}, env(API_URL="http://api:8080")),
        ("checkout", {"image": "nginx:1.25-alpin"}, {"image": "nginx:1.25-alpine"}),
        ("checkout", {"image": "acme/p:api-2024.11.4"}, {"image": "acme/p:api-2024.11.3"}),
        ("checkout", {"image": "acme/p:1.2"}, {"image": "acme/p:1.2-alpine"}),
        ("checkout", {}, {"args": ["--log-level", "debug", "/dev/stdout"]}),
        ("checkout-dev", {}, env(TMP="/dev/shm/checkout-cache")),
        ("checkout", {"resources": {}}, {"resources": {"limits": {"memory": "1Gi"}}}),
    ],
)
async def test_what_belongs_to_the_workload_or_says_nothing_of_a_place_is_no_stray(
    name: str, before: Object, changed: Object
) -> None:
    own = workload(name, containers=[container(**before)])

    assert await cross(own, changed, workload("api"), workload("worker")) == ""


async def test_without_the_right_to_list_neighbours_the_own_name_still_counts() -> None:
    own = workload("orders-stg", containers=[container()])

    assert "names prd" in await cross(own, reading("orders-prd"), cluster_reader=Neighbourhood(refuses=True))


def test_of_a_long_command_no_word_is_missed_though_few_are_compared() -> None:
    own = workload("orders-stg", containers=[container(args=[f"--a{n}=b-{n}" for n in range(3_000)])])
    args = [*(f"--c{n}=d-{n}" for n in range(300)), "--db=orders-prd"]
    patch = {"spec": {"template": {"spec": {"containers": [{"name": "app", "args": args}]}}}}
    identity = identify("Deployment/orders-stg", Labelled("orders-stg"), "shop", ())

    (stray,) = find_strays(proposed_values(patch), own, identity)

    assert "names prd" in stray


CLAIM = {"volumes": [{"name": "data", "persistentVolumeClaim": {"claimName": "c"}}]}
MOUNT = {"volumeMounts": [{"name": "data", "mountPath": "/d"}]}


def pod(state: Object, image: str = "mysql:8.0.36") -> Object:
    owner = {"ownerReferences": [{"uid": "rs", "controller": True}]}
    return {
        "metadata": {"name": "p", "uid": "p", **owner},
        "spec": {"containers": [{"name": "app", "image": image}]},
        "status": {"containerStatuses": [{"name": "app", "state": state}]},
    }


@pytest.mark.parametrize(
    ("spec", "to", "pods", "warns"),
    [
        (CLAIM, "mysql:5.7.44", [pod({"terminated": {}})], True),
        (CLAIM, "mysql:8.0.35", [pod({"running": {}})], True),
        (CLAIM, "mysql:8.0.37", [pod({"running": {}})], False),
        (CLAIM, "mysql:5.7.44", [pod({"waiting": {"reason": "ImagePullBackOff"}})], False),
        (CLAIM, "mysql:5.7.44", [pod({"running": {}}, "mysql:5.7.44")], False),
        ({"volumes": [{"name": "data", "emptyDir": {}}]}, "mysql:5.7.44", [pod({"running": {}})], False),
    ],
)
async def test_an_older_image_over_data_that_the_newer_one_has_seen_is_warned_of(
    spec: Object, to: str, pods: list[Object], *, warns: bool
) -> None:
    made = workload("checkout", containers=[container(image="mysql:8.0.36", **MOUNT)], **spec)

    told = await cross(made, {"image": to}, cluster_reader=Neighbourhood([made], pods))

    assert ("over data of volume data" in told) is warns


@pytest.mark.parametrize("grounding", ["last_good_revision", "person", "evidence"])
async def test_whoever_proposes_it_a_crossing_is_high_risk_with_the_reason(grounding: Grounding) -> None:
    change: Candidate = candidate(image="nginx:1.25-debug").model_copy(update={"grounding": grounding})
    proposal_builder = ProposalBuilder(
        cast("ClusterReader", Cluster()),
        cast("ActionExecutor", Cluster()),
        cast("IncidentLedger", Ledger((piece(1, "image: nginx:1.25-debug"),))),
    )

    proposal = await proposal_builder.draft(change, incident_id="inc-1")

    assert proposal.risk == "high"
    assert "has debug in its tag" in proposal.risk_reasons[0]
