"""What an exporter was pointed at, where the alert's labels give only an address or a host name.

The cluster is asked: which node has that address, which Service has that name, which Ingress that host.
"""

import re
from collections.abc import Iterable, Sequence

from graph.cluster.controllers import read_object
from graph.cluster.workloads import Document
from graph.domain.alerts.payload import Alert
from graph.domain.alerts.targets import (
    Target,
    find_node_exporter,
    find_scraped_job,
    list_hosts,
    measures_node,
)
from graph.ports import ClusterReader
from tools.errors import BadInput, ClusterError, ClusterUnreachable

_IPV4 = re.compile(r"\d{1,3}(\.\d{1,3}){3}")
_SERVERS = ("Service", "Deployment", "StatefulSet", "DaemonSet")
_SHORT = re.compile(r"(?P<name>[a-z]([a-z0-9-]*[a-z0-9])?)(\.(?P<namespace>[a-z0-9-]+))?")


async def find_measured(cluster_reader: ClusterReader, alert: Alert) -> Target | None:
    """Return the node, Service or Ingress that was measured, or None where none is found.

    What can't be read names nothing. Raises `ClusterUnreachable`.
    """
    if scraped := await _find_scraped(cluster_reader, alert):
        return scraped
    hosts = list_hosts(alert)
    if measures_node(alert):
        return await find_node(cluster_reader, hosts) or await _find_exporters_node(cluster_reader, alert)
    return await _find_service(cluster_reader, alert, hosts) or await _find_entrance(cluster_reader, hosts)


async def _find_scraped(cluster_reader: ClusterReader, alert: Alert) -> Target | None:
    """Return the object that the job of a failing scrape is called by: the Service's name, by default."""
    job = find_scraped_job(alert)
    for kind in _SERVERS if job else ():
        meant = Target(kind=kind, namespace=alert.namespace, name=str(job))
        if await read_object(cluster_reader, meant):
            return meant
    return None


async def find_node(cluster_reader: ClusterReader, hosts: Iterable[str]) -> Target | None:
    """Return the one node that has one of these names or addresses."""
    wanted = set(hosts)
    if not wanted:
        return None
    nodes = await _list(cluster_reader, "Node")
    found = [node["metadata"]["name"] for node in nodes if wanted & _names_of(node)]
    # a cloud's own name for the host, which its addresses needn't hold: ip-10-0-11-21.ec2.internal
    spelled = {f"ip-{host.replace('.', '-')}" for host in wanted if _IPV4.fullmatch(host)}
    found = found or [
        name for node in nodes if (name := node["metadata"]["name"]).partition(".")[0] in spelled
    ]
    return Target(kind="Node", namespace=None, name=found[0]) if len(found) == 1 else None


def _names_of(node: Document) -> set[str]:
    addresses = (node.get("status") or {}).get("addresses") or []
    return {node["metadata"]["name"], *(str(one.get("address", "")).lower() for one in addresses)}


async def _find_exporters_node(cluster_reader: ClusterReader, alert: Alert) -> Target | None:
    measured = find_node_exporter(alert)
    if measured is None:
        return None
    namespace, pod = measured
    document = await read_object(cluster_reader, Target(kind="Pod", namespace=namespace, name=pod))
    node = (document or {}).get("spec", {}).get("nodeName")
    return Target(kind="Node", namespace=None, name=node) if node else None


async def _find_service(cluster_reader: ClusterReader, alert: Alert, hosts: Iterable[str]) -> Target | None:
    """Return a Service that is called by a short name: `cart-redis`, `cart-redis.shop`."""
    for host in hosts:
        match = _SHORT.fullmatch(host)
        namespace = match and (match["namespace"] or alert.namespace)
        if match is None or not namespace:
            continue
        meant = Target(kind="Service", namespace=namespace, name=match["name"])
        if await read_object(cluster_reader, meant):
            return meant
    return None


async def _find_entrance(cluster_reader: ClusterReader, hosts: Iterable[str]) -> Target | None:
    """Return the one Ingress that answers to one of the host names."""
    wanted = {host for host in hosts if "." in host and not _IPV4.fullmatch(host)}
    listed = await _list(cluster_reader, "Ingress") if wanted else []
    found = [one["metadata"] for one in listed if wanted & _hosts_of(one)]
    if len(found) != 1:
        return None
    return Target(kind="Ingress", namespace=found[0].get("namespace"), name=found[0]["name"])


def _hosts_of(ingress: Document) -> set[str]:
    return {str(rule.get("host", "")).lower() for rule in (ingress.get("spec") or {}).get("rules") or []}


async def _list(cluster_reader: ClusterReader, kind: str) -> Sequence[Document]:
    try:
        return await cluster_reader.list(kind, None)
    except ClusterUnreachable:
        raise
    except (ClusterError, BadInput):
        return []
