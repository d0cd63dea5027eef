"""Names suggest a pod's owner; the chain of controllers tells."""

from typing import Any, cast

import pytest

from graph.cluster.owners import find_owner
from graph.domain.alerts.payload import AlertGroup
from graph.domain.alerts.targets import Target
from graph.ports import ClusterReader
from tests.unit.graph.domain.test_alerts_and_targets import real_body
from tools.errors import BadInput, ClusterUnreachable, ObjectNotFound, PermissionDenied


class Chain:
    """A cluster of objects by kind and name, each with its controller."""

    def __init__(self, *links: tuple[str, str, str]) -> None:
        self._owners = {(kind, name): owner for kind, name, owner in links}
        self.error: Exception | None = None
        self.node = ""
        self.listed: dict[str, list[dict[str, Any]]] = {}

    async def get(self, kind: str, name: str, namespace: str | None) -> dict[str, Any]:
        if self.error:
            raise self.error
        if (kind, name) not in self._owners:
            raise ObjectNotFound(f"{kind} {name} not found", code=404)
        above = self._owners[kind, name]
        owners = (
            [{"kind": above.split("/")[0], "name": above.split("/")[1], "controller": True}] if above else []
        )
        metadata = {"name": name, "ownerReferences": owners}
        return {"kind": kind, "metadata": metadata, "spec": {"nodeName": self.node}}

    async def list(self, kind: str, namespace: str | None) -> list[dict[str, Any]]:
        if self.error:
            raise self.error
        return self.listed.get(kind, [])


def about(**labels: str) -> AlertGroup:
    body = real_body()
    said = {"labels": {"alertname": "A", "namespace": "shop"} | labels, "annotations": {}}
    body["alerts"] = [body["alerts"][0] | said]
    return AlertGroup.model_validate(body)


async def owner(chain: Chain, **labels: str) -> Target | None:
    return await find_owner(cast("ClusterReader", chain), about(**labels))


async def test_a_pod_leads_through_its_replica_set_to_the_deployment() -> None:
    chain = Chain(("Pod", "odd-0", "ReplicaSet/api-5c88"), ("ReplicaSet", "api-5c88", "Deployment/api"))

    assert await owner(chain, pod="odd-0") == Target(kind="Deployment", namespace="shop", name="api")


async def test_a_pod_of_a_job_leads_to_its_cron_job() -> None:
    chain = Chain(("Pod", "nightly-x7k2p", "Job/nightly-1"), ("Job", "nightly-1", "CronJob/nightly"))

    assert await owner(chain, pod="nightly-x7k2p") == Target(kind="CronJob", namespace="shop", name="nightly")


async def test_a_pod_that_nobody_controls_stands_for_itself() -> None:
    assert await owner(Chain(("Pod", "db-0", "")), pod="db-0") == Target(
        kind="Pod", namespace="shop", name="db-0"
    )


@pytest.mark.parametrize("error", [None, PermissionDenied("no", code=403), BadInput("no name")])
async def test_where_the_chain_cannot_be_read_the_name_is_believed(error: Exception | None) -> None:
    chain = Chain()
    chain.error = error

    assert await owner(chain, pod="db-0") == Target(kind="StatefulSet", namespace="shop", name="db")


async def test_a_cluster_that_does_not_answer_is_asked_again_by_the_node() -> None:
    chain = Chain()
    chain.error = ClusterUnreachable("no answer")

    with pytest.raises(ClusterUnreachable):
        await owner(chain, pod="db-0")


async def test_the_exporters_own_pod_is_not_asked() -> None:
    chain = Chain(("Pod", "ksm-0", "StatefulSet/ksm"))

    assert await owner(chain, pod="ksm-0", deployment="api") == Target(
        kind="Deployment", namespace="shop", name="api"
    )


async def test_an_alert_that_names_nothing_has_no_owner() -> None:
    assert await owner(Chain()) is None


async def test_a_static_pod_is_not_answered_for_by_its_node() -> None:
    chain = Chain(("Pod", "etcd-cp-1", "Node/cp-1"))

    assert await owner(chain, pod="etcd-cp-1") == Target(kind="Pod", namespace="shop", name="etcd-cp-1")


async def test_a_workload_without_its_type_is_looked_for() -> None:
    chain = Chain(("StatefulSet", "db", ""))

    assert await owner(chain, workload="db") == Target(kind="StatefulSet", namespace="shop", name="db")
    assert await owner(Chain(), workload="db") == Target(kind="Deployment", namespace="shop", name="db")


async def test_what_a_node_exporter_measures_is_about_the_node_that_it_runs_on() -> None:
    labels = {"job": "node-exporter", "pod": "node-exporter-x7k2p", "instance": "10.0.0.7:9100"}
    chain = Chain(("Pod", "node-exporter-x7k2p", "DaemonSet/node-exporter"))
    chain.node = "worker-7"

    found = await owner(chain, alertname="NodeFilesystemAlmostOutOfSpace", **labels)

    assert found == Target(kind="Node", namespace=None, name="worker-7")
    assert await owner(Chain(), alertname="NodeFilesystemAlmostOutOfSpace", **labels) is None


def made_node(name: str, *addresses: str) -> dict[str, Any]:
    held = [{"type": "InternalIP", "address": one} for one in addresses]
    return {"kind": "Node", "metadata": {"name": name}, "status": {"addresses": held}}


def made_ingress(name: str, host: str) -> dict[str, Any]:
    return {"metadata": {"name": name, "namespace": "shop"}, "spec": {"rules": [{"host": host}]}}


NODES = [
    made_node("worker-7", "10.0.0.7", "worker-7.example.com"),
    made_node("worker-8", "10.0.0.8"),
    made_node("ip-10-0-11-21.ec2.internal", "fd00::21"),
]


@pytest.mark.parametrize(
    ("labels", "name"),
    [
        ({"job": "node-exporter", "instance": "10.0.0.8:9100", "pod": "ne-x7k2p"}, "worker-8"),
        ({"job": "node", "instance": "10.0.0.7:9100"}, "worker-7"),
        ({"job": "node-exporter", "instance": "worker-7.example.com:9100"}, "worker-7"),
        ({"job": "node-exporter", "instance": "10.0.11.21:9100"}, "ip-10-0-11-21.ec2.internal"),
        ({"job": "integrations/node_exporter", "instance": "[fd00::21]:9100"}, "ip-10-0-11-21.ec2.internal"),
        ({"job": "smartctl-exporter", "instance": "10.0.0.7:9633", "pod": "smart-x7k2p"}, "worker-7"),
    ],
)
async def test_the_instance_says_which_node_was_measured(labels: dict[str, str], name: str) -> None:
    chain = Chain(("Pod", "ne-x7k2p", "DaemonSet/ne"))
    chain.node, chain.listed = "worker-1", {"Node": NODES}

    assert await owner(chain, alertname="NodeClockSkewDetected", **labels) == Target(
        kind="Node", namespace=None, name=name
    )


async def test_an_instance_that_is_down_is_about_the_node_of_that_address() -> None:
    chain = Chain()
    chain.listed = {"Node": NODES}

    found = await owner(chain, alertname="InstanceDown", job="node", instance="10.0.0.7:9100")

    assert found == Target(kind="Node", namespace=None, name="worker-7")


@pytest.mark.parametrize(
    ("labels", "found"),
    [
        (
            {"job": "redis-exporter", "pod": "redis-exporter-0", "instance": "redis://cart-redis:6379"},
            Target(kind="Service", namespace="shop", name="cart-redis"),
        ),
        (
            {"job": "postgres-exporter", "service": "postgres-exporter", "instance": "pg.db:5432"},
            Target(kind="Service", namespace="db", name="pg"),
        ),
        (
            {"job": "blackbox", "target": "http://cart.shop.svc.cluster.local/health", "instance": "x"},
            Target(kind="Service", namespace="shop", name="cart"),
        ),
        (
            {"job": "blackbox-exporter", "instance": "https://shop.example.com/health"},
            Target(kind="Ingress", namespace="shop", name="shop"),
        ),
    ],
)
async def test_what_an_exporter_was_pointed_at_is_the_subject(labels: dict[str, str], found: Target) -> None:
    chain = Chain(("Service", "cart-redis", ""), ("Service", "pg", ""), ("Pod", "redis-exporter-0", ""))
    ingress = {
        "metadata": {"name": "shop", "namespace": "shop"},
        "spec": {"rules": [{"host": "shop.example.com"}]},
    }
    chain.listed = {"Ingress": [ingress, {"metadata": {"name": "other", "namespace": "shop"}, "spec": {}}]}

    assert await owner(chain, alertname="RedisDown", **labels) == found


@pytest.mark.parametrize(
    "instance", ["https://elsewhere.example.org/", "10.244.0.9:9121", "cart-redis:6379", ""]
)
async def test_what_is_not_found_in_the_cluster_is_nobodys_fault_there(instance: str) -> None:
    chain = Chain()
    twice = {"metadata": {"name": "a", "namespace": "a"}, "spec": {"rules": [{"host": "shop.example.com"}]}}
    chain.listed = {"Node": NODES, "Ingress": [twice, twice]}

    assert (
        await owner(chain, alertname="KafkaConsumerGroupLag", job="kafka-exporter", instance=instance) is None
    )


async def test_where_nodes_cannot_be_listed_the_exporters_pod_still_names_its_node() -> None:
    class NoNodes(Chain):
        async def list(self, kind: str, namespace: str | None) -> list[dict[str, Any]]:
            raise PermissionDenied("nodes is forbidden", code=403)

    chain = NoNodes(("Pod", "ne-x7k2p", "DaemonSet/ne"))
    chain.node = "worker-7"

    found = await owner(
        chain, alertname="HostOutOfInodes", job="node-exporter", pod="ne-x7k2p", instance="10.0.0.7:9100"
    )

    assert found == Target(kind="Node", namespace=None, name="worker-7")
