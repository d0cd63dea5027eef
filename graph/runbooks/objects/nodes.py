"""Nodes: their pressures, and how they are described."""

from graph.runbooks.objects.answers import quote
from graph.runbooks.objects.neighbours import Node

_PRESSURES = ("MemoryPressure", "DiskPressure", "PIDPressure")


def describe_node(node: Node) -> str:
    """Return in words what is wrong with a node."""
    ready = next((each for each in node.status.conditions if each.type == "Ready"), None)
    if ready is None or ready.status != "True":
        said = f" ({quote(ready.message)})" if ready and ready.message else ""
        return f"isn't ready{said}"
    under = [
        each.type for each in node.status.conditions if each.type in _PRESSURES and each.status == "True"
    ]
    return f"is under {', '.join(under)}" if under else "is cordoned"


def is_sick(node: Node) -> bool:
    """Whether a node isn't ready or is short of something. A cordoned one is well."""
    ready = any((each.type, each.status) == ("Ready", "True") for each in node.status.conditions)
    return not ready or any(
        each.type in _PRESSURES and each.status == "True" for each in node.status.conditions
    )


def advise_on_node(name: str) -> str:
    """Return what to do about a sick node."""
    return (
        f"Look at node {name}: kubectl describe node {name}; on it, journalctl -u kubelet, df -h,"
        " free -m. If it"
        f" doesn't come back: kubectl drain {name} --ignore-daemonsets --delete-emptydir-data, then"
        " replace it."
    )
