"""One broken workload is reported under many names: which of them lead to it, and which must not."""

from collections.abc import Sequence
from typing import Any, cast

import pytest

from graph.cluster.owners import find_owner
from graph.domain.alerts.payload import AlertGroup
from graph.domain.alerts.targets import Target
from graph.ports import ClusterReader
from tests.unit.graph.domain.test_alerts_and_targets import real_body
from tools.errors import ClusterUnreachable, ObjectNotFound, PermissionDenied

Object = dict[str, Any]
SHOP = Target(kind="Deployment", namespace="shop", name="web")


def made(kind: str, name: str, *, owner: Object | None = None, **parts: Any) -> Object:
    owners = [{"kind": owner["kind"], "name": owner["metadata"]["name"], "uid": uid(owner)}] if owner else []
    metadata = {
        "name": name,
        "namespace": "shop",
        "uid": f"{kind}/{name}",
        "ownerReferences": [one | {"controller": True} for one in owners],
        "creationTimestamp": parts.pop("at", "2026-11-30T10:00:00Z"),
    }
    return {"kind": kind, "metadata": metadata | parts.pop("metadata", {}), "spec": {}, **parts}


def uid(document: Object) -> str:
    found: str = document["metadata"]["uid"]
    return found


def workload(name: str, *, ready: bool, kind: str = "Deployment", **labels: str) -> Object:
    """Return a workload with one replica."""
    labels = labels or {"app": name}
    ready_now = int(ready)
    return made(
        kind,
        name,
        spec={
            "replicas": 1,
            "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": {}},
        },
        status={
            "replicas": 1,
            "updatedReplicas": 1,
            "readyReplicas": ready_now,
            "availableReplicas": ready_now,
            "desiredNumberScheduled": 1,
            "currentNumberScheduled": 1,
            "updatedNumberScheduled": 1,
            "numberReady": ready_now,
            "numberAvailable": ready_now,
        },
    )


def service(name: str = "web", selector: Object | None = None) -> Object:
    return made("Service", name, spec={"selector": {"app": "web"} if selector is None else selector})


def ingress(*services: str) -> Object:
    paths = [{"backend": {"service": {"name": name}}} for name in services]
    return made("Ingress", "entry", spec={"rules": [{"http": {"paths": paths}}, {"host": "other.example"}]})


def budget(selector: Object | None) -> Object:
    return made("PodDisruptionBudget", "web-pdb", spec={"selector": selector})


def pod(name: str, owner: Object, *, ready: bool = False, claim: str = "") -> Object:
    volumes = [{"name": "tmp", "emptyDir": {}}]
    if claim:
        volumes.append({"name": "data", "persistentVolumeClaim": {"claimName": claim}})
    status = {"conditions": [{"type": "Ready", "status": str(ready)}]}
    return made("Pod", name, owner=owner, spec={"volumes": volumes}, status=status)


class Cluster:
    """The objects of a namespace, and what isn't allowed to be read."""

    def __init__(self, *objects: Object, closed: str = "", error: Exception | None = None) -> None:
        self._objects = objects
        self._closed = closed
        self._error = error or PermissionDenied("you may not", code=403)

    async def get(self, kind: str, name: str, namespace: str | None) -> Object:
        for one in await self.list(kind, namespace):
            if one["metadata"]["name"] == name:
                return one
        raise ObjectNotFound(f"{kind} {name} not found", code=404)

    async def list(
        self, kind: str, namespace: str | None, *, label_selector: str | None = None
    ) -> Sequence[Object]:
        if kind == self._closed:
            raise self._error
        found = [one for one in self._objects if one["kind"] == kind]
        return [one for one in found if one["metadata"]["namespace"] == namespace]


async def owner(cluster: Cluster, **labels: str) -> Target | None:
    body = real_body()
    alert = body["alerts"][0] | {"labels": {"alertname": "A", "namespace": "shop"} | labels}
    return await find_owner(
        cast("ClusterReader", cluster), AlertGroup.model_validate(body | {"alerts": [alert]})
    )


def front(kind: str, name: str) -> Target:
    return Target(kind=kind, namespace="shop", name=name)


ILL = workload("web", ready=False)
ILL_SET = made("ReplicaSet", "web-5c98", owner=ILL)
SCALER = made(
    "HorizontalPodAutoscaler",
    "web-hpa",
    spec={"scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"}},
)


@pytest.mark.parametrize(
    ("objects", "labels"),
    [
        ((service(),), {"service": "web", "job": "web"}),
        ((SCALER,), {"horizontalpodautoscaler": "web-hpa"}),
        ((budget({"matchLabels": {"app": "web"}}),), {"poddisruptionbudget": "web-pdb"}),
        (
            (budget({"matchExpressions": [{"key": "app", "operator": "In", "values": ["web", "www"]}]}),),
            {"poddisruptionbudget": "web-pdb"},
        ),
        ((ingress("web", "web"), service()), {"ingress": "entry"}),
        ((ILL_SET,), {"replicaset": "web-5c98"}),
        (
            (
                made("PersistentVolumeClaim", "data", status={"phase": "Pending"}),
                ILL_SET,
                pod("web-1", ILL_SET, claim="data"),
                pod("web-2", ILL_SET, claim="data"),
            ),
            {"persistentvolumeclaim": "data"},
        ),
    ],
    ids=["service", "autoscaler", "budget", "budget by expressions", "ingress", "replicaset", "claim"],
)
async def test_what_a_broken_workload_is_behind_leads_to_it(
    objects: Sequence[Object], labels: dict[str, str]
) -> None:
    assert await owner(Cluster(ILL, *objects), **labels) == SHOP


@pytest.mark.parametrize("kind", ["StatefulSet", "DaemonSet"])
async def test_workloads_of_all_kinds_are_behind_a_service(kind: str) -> None:
    cluster = Cluster(workload("web", ready=False, kind=kind), service())

    assert await owner(cluster, service="web") == front(kind, "web")


@pytest.mark.parametrize(
    ("selector", "leads"),
    [
        ({}, True),
        (None, False),
        ({"matchExpressions": [{"key": "app", "operator": "NotIn", "values": ["api"]}]}, True),
        ({"matchExpressions": [{"key": "app", "operator": "Exists"}]}, True),
        ({"matchExpressions": [{"key": "app", "operator": "DoesNotExist"}]}, False),
        ({"matchExpressions": [{"key": "app", "operator": "Gt", "values": ["1"]}]}, False),
    ],
)
async def test_a_budget_guards_what_its_selector_picks(selector: Object | None, leads: bool) -> None:
    found = await owner(Cluster(ILL, budget(selector)), poddisruptionbudget="web-pdb")

    assert found == (SHOP if leads else front("PodDisruptionBudget", "web-pdb"))


async def test_where_the_workload_is_well_its_service_may_be_at_fault_itself() -> None:
    well = workload("web", ready=True)
    replicas = made("ReplicaSet", "web-5c98", owner=well)
    cluster = Cluster(well, service(), replicas, pod("web-1", replicas, ready=True))

    assert await owner(cluster, service="web") == front("Service", "web")


async def test_of_two_workloads_behind_a_service_none_is_guessed() -> None:
    shared = {"app": "web"}
    cluster = Cluster(
        workload("web", ready=False, **shared), workload("web-canary", ready=True, **shared), service()
    )

    assert await owner(cluster, service="web") == front("Service", "web")


async def test_an_ingress_to_two_workloads_keeps_its_alert() -> None:
    cluster = Cluster(
        ILL,
        workload("api", ready=False),
        ingress("web", "api"),
        service(),
        service("api", {"app": "api"}),
    )

    assert await owner(cluster, ingress="entry") == front("Ingress", "entry")


@pytest.mark.parametrize("selector", [{}, {"app": "www"}, {"app": "web", "tier": "front"}])
async def test_a_service_that_does_not_select_the_pods_keeps_its_alert(selector: Object) -> None:
    assert await owner(Cluster(ILL, service(selector=selector)), service="web") == front("Service", "web")


async def test_a_workload_of_the_same_name_in_another_namespace_is_not_behind_it() -> None:
    elsewhere = workload("web", ready=False)
    elsewhere["metadata"]["namespace"] = "shop-staging"

    assert await owner(Cluster(elsewhere, service()), service="web") == front("Service", "web")


async def test_how_full_a_bound_claim_is_stays_its_own_subject() -> None:
    claim = made("PersistentVolumeClaim", "data", status={"phase": "Bound"})
    cluster = Cluster(ILL, claim, ILL_SET, pod("web-1", ILL_SET, claim="data"))

    assert await owner(cluster, persistentvolumeclaim="data") == front("PersistentVolumeClaim", "data")


@pytest.mark.parametrize("label", ["resourcequota", "node", "cronjob"])
async def test_other_subjects_of_the_namespace_stay_what_they_are(label: str) -> None:
    found = await owner(Cluster(ILL, service()), **{label: "web"})

    assert found is not None
    assert found != SHOP


@pytest.mark.parametrize(("asked", "kind"), [("backup-2", "CronJob"), ("backup-1", "Job")])
async def test_only_the_latest_job_is_what_its_cron_job_is_judged_by(asked: str, kind: str) -> None:
    cron_job = made("CronJob", "backup")
    jobs = [made("Job", f"backup-{day}", owner=cron_job, at=f"2026-11-0{day}T00:00:00Z") for day in (1, 2)]

    found = await owner(Cluster(cron_job, *jobs), job_name=asked)

    assert found is not None
    assert found.kind == kind


@pytest.mark.parametrize("closed", ["Service", "StatefulSet", "Pod"])
async def test_what_may_not_be_read_leads_nowhere(closed: str) -> None:
    assert await owner(Cluster(ILL, service(), closed=closed), service="web") == front("Service", "web")


async def test_a_cluster_that_does_not_answer_is_asked_again() -> None:
    cluster = Cluster(ILL, service(), closed="Deployment", error=ClusterUnreachable("no answer"))

    with pytest.raises(ClusterUnreachable):
        await owner(cluster, service="web")
