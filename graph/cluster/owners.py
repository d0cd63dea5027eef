"""What an alert is really about: names only suggest it, the cluster knows who owns what."""

from graph.cluster.behind import find_ill_workload
from graph.cluster.controllers import climb, read_object
from graph.cluster.measured import find_measured, find_node
from graph.domain.alerts.payload import Alert, AlertGroup
from graph.domain.alerts.subjects import comes_from_exporter, is_exporter
from graph.domain.alerts.targets import Target, find_pod, find_target, list_hosts, list_kinds
from graph.ports import ClusterReader

_MOST_PODS = 3
_MOST_ALERTS = 3


async def find_owner(cluster_reader: ClusterReader, group: AlertGroup) -> Target | None:
    """Return what an alert is about, as the cluster has it; as the labels have it where that can't be read.

    A Service and the like give way to the one workload behind them, if that is ill. None where neither names
    anything. Raises `ClusterUnreachable`.
    """
    named = await _find_named(cluster_reader, group)
    return named and (await find_ill_workload(cluster_reader, named) or named)


async def _find_named(cluster_reader: ClusterReader, group: AlertGroup) -> Target | None:
    about = [(alert, found) for alert in group.alerts if (found := find_target(alert))]
    if not about:
        measured = [await find_measured(cluster_reader, alert) for alert in group.alerts[:_MOST_ALERTS]]
        return next((found for found in measured if found), None)
    alert, guess = about[0]
    if other := await _find_other(cluster_reader, alert, guess):
        return other
    pods = dict.fromkeys(pod for alert, found in about if found == guess and (pod := find_pod(alert)))
    for pod in list(pods)[:_MOST_PODS]:
        if owner := await climb(cluster_reader, Target(kind="Pod", namespace=alert.namespace, name=pod)):
            return owner
    for kind in list_kinds(alert):
        meant = guess.model_copy(update={"kind": kind})
        if await read_object(cluster_reader, meant):
            return meant
    return guess


async def _find_other(cluster_reader: ClusterReader, alert: Alert, guess: Target) -> Target | None:
    """Return what is meant where the labels give a node another name, or name the exporter alone."""
    if guess.kind == "Node" and await read_object(cluster_reader, guess) is None:
        return await find_node(cluster_reader, (guess.name.lower(), *list_hosts(alert)))
    if comes_from_exporter(alert.labels) and is_exporter(guess.name):
        return await find_measured(cluster_reader, alert)
    return None
