"""The read-only calls that runbooks make, spelled in one place: an answer is found by its exact call."""

from graph.cluster.workloads import render_selector
from graph.domain.diagnosis import ReadCall
from graph.runbooks.objects.workloads import Workload

LOG_LINES = 50


def describe_pod(pod: str, namespace: str) -> ReadCall:
    """Return the first look an engineer takes: state, conditions and events of one pod."""
    arguments = {"resourceType": "pod", "name": pod, "namespace": namespace}
    return ReadCall(tool="kubectl_describe", arguments=arguments, reason="how an affected pod fares")


def get_one(kind: str, name: str, namespace: str) -> ReadCall:
    """Return the reading of one object, whole."""
    arguments = {"resourceType": kind.lower(), "name": name, "namespace": namespace, "output": "json"}
    return ReadCall(tool="kubectl_get", arguments=arguments, reason=f"what {kind} {name} wants and has")


def list_all(plural: str, namespace: str) -> ReadCall:
    """Return the reading of all objects of a kind in the namespace."""
    arguments = {"resourceType": plural, "namespace": namespace, "output": "json"}
    return ReadCall(tool="kubectl_get", arguments=arguments, reason=f"the {plural} of its namespace")


def list_names(plural: str, namespace: str) -> ReadCall:
    """Return the reading of which objects of a kind the namespace has, and no more of them."""
    arguments = {"resourceType": plural, "namespace": namespace, "output": "name"}
    return ReadCall(tool="kubectl_get", arguments=arguments, reason=f"which {plural} there are")


def list_everywhere(plural: str) -> ReadCall:
    """Return the reading of all objects of a kind that belongs to no namespace."""
    arguments = {"resourceType": plural, "output": "json"}
    return ReadCall(tool="kubectl_get", arguments=arguments, reason=f"the cluster's {plural}")


def list_of(plural: str, workload: Workload) -> ReadCall:
    """Return the reading of what the workload's selector selects."""
    selector = render_selector(workload.spec.selector.model_dump())
    arguments = {
        "resourceType": plural,
        "namespace": workload.metadata.namespace,
        "labelSelector": selector,
        "output": "json",
    }
    return ReadCall(tool="kubectl_get", arguments=arguments, reason=f"the workload's {plural}")


def list_events(namespace: str, field_selector: str) -> ReadCall:
    """Return the reading of some of the namespace's events; all of them could be far too many."""
    arguments = {
        "resourceType": "events",
        "namespace": namespace,
        "fieldSelector": field_selector,
        "output": "json",
    }
    return ReadCall(tool="kubectl_get", arguments=arguments, reason=f"events with {field_selector}")


def read_log(pod: str, namespace: str, container: str, *, previous: bool) -> ReadCall:
    """Return the reading of the last 50 lines of one container's log."""
    arguments = {
        "resourceType": "pod",
        "name": pod,
        "namespace": namespace,
        "container": container,
        "tail": LOG_LINES,
    }
    which = f"what container {container} wrote" + (" before it ended" if previous else "")
    if previous:
        arguments["previous"] = True
    return ReadCall(tool="kubectl_logs", arguments=arguments, reason=which)
