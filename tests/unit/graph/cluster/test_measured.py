"""Alerts whose labels name no object: what was probed or scraped, the cluster knows, or nobody does."""

from typing import Any

import pytest

from graph.domain.alerts.targets import Target
from tests.unit.graph.cluster.test_behind import ILL, SHOP, Cluster, front, made, owner, service, workload

HOST = "shop.example"


def entry(name: str, host: str = HOST, namespace: str = "shop", **paths: str) -> dict[str, Any]:
    """Return an Ingress with one path (`_` for `/`) for each Service."""
    rules = [
        {"path": f"/{path.strip('_')}", "backend": {"service": {"name": backend}}}
        for path, backend in paths.items()
    ]
    metadata = {"namespace": namespace}
    return made(
        "Ingress", name, metadata=metadata, spec={"rules": [{"host": host, "http": {"paths": rules}}]}
    )


class Everywhere(Cluster):
    """A cluster whose objects can be listed across all namespaces."""

    async def list(
        self, kind: str, namespace: str | None, *, label_selector: str | None = None
    ) -> list[dict[str, Any]]:
        if namespace:
            return list(await super().list(kind, namespace))
        return [one for one in self._objects if one["kind"] == kind and kind != self._closed]


async def probed(cluster: Cluster, instance: str) -> Target | None:
    return await owner(cluster, namespace="", job="blackbox-exporter", instance=instance)


async def test_a_probed_url_leads_through_its_ingress_to_the_broken_workload() -> None:
    cluster = Everywhere(ILL, service(), entry("public", _="web"))

    assert await probed(cluster, f"https://{HOST}/") == SHOP
    assert await probed(cluster, f"https://{HOST}:8443/cart?x=1") == SHOP


async def test_where_the_workload_is_well_the_ingress_is_looked_at() -> None:
    cluster = Everywhere(workload("api", ready=False), service(), entry("public", _="web"))

    assert await probed(cluster, f"https://{HOST}/") == front("Ingress", "public")


async def test_a_host_behind_which_two_workloads_answer_keeps_its_ingress() -> None:
    api = workload("api", ready=False)
    paths = entry("public", _="web", api="api")
    cluster = Everywhere(ILL, api, service(), service("api", {"app": "api"}), paths)

    assert await probed(cluster, f"https://{HOST}/api/v1") == front("Ingress", "public")


async def test_a_host_that_two_ingresses_claim_is_nobodys() -> None:
    cluster = Everywhere(ILL, service(), entry("a", _="web"), entry("b", namespace="shop-staging", _="web"))

    assert await probed(cluster, f"https://{HOST}/") is None


async def test_a_service_is_probed_by_its_name_in_the_cluster() -> None:
    cluster = Everywhere(ILL, service())

    assert await probed(cluster, "http://web.shop.svc:8080/healthz") == SHOP
    assert await probed(cluster, "http://web.shop.svc.cluster.local/") == SHOP
    assert await probed(cluster, "http://www.shop.svc/") == front("Service", "www")


@pytest.mark.parametrize("instance", ["https://other.example/", "https://[::1", "://", "10.0.0.7:9115"])
async def test_other_addresses_name_nothing(instance: str) -> None:
    assert await probed(Everywhere(ILL, service(), entry("public", _="web")), instance) is None


async def test_ingresses_that_may_not_be_listed_name_nothing() -> None:
    cluster = Everywhere(ILL, service(), entry("public", _="web"), closed="Ingress")

    assert await probed(cluster, f"https://{HOST}/") is None


@pytest.mark.parametrize("job", ["web", "shop/web"])
async def test_a_failing_scrape_is_about_what_its_job_is_called_by(job: str) -> None:
    assert await owner(Cluster(ILL, service()), alertname="TargetDown", job=job) == SHOP


@pytest.mark.parametrize(
    "labels",
    [
        {"alertname": "HighErrorRate", "job": "web"},
        {"alertname": "TargetDown", "job": "node-exporter"},
        {"alertname": "TargetDown", "job": "www"},
        {"alertname": "TargetDown", "job": "web", "namespace": ""},
    ],
)
async def test_any_other_job_names_nothing(labels: dict[str, str]) -> None:
    assert await owner(Cluster(ILL, service()), **labels) is None
