"""Which objects belong together: a workload's pods, a Deployment's revisions, an object's events."""

from tools.errors import BadInput
from tools.kubernetes.client import Cluster, Object

REVISION = "deployment.kubernetes.io/revision"
_OPERATORS = {"In": "in", "NotIn": "notin"}


def label_selector(selector: Object | None) -> str:
    """Return a LabelSelector as the API takes it in a query.

    https://kubernetes.io/docs/concepts/overview/working-with-objects/labels/#label-selectors
    """
    selector = selector or {}
    terms = [f"{key}={value}" for key, value in sorted((selector.get("matchLabels") or {}).items())]
    for rule in selector.get("matchExpressions") or []:
        key, operator = rule["key"], rule["operator"]
        if operator in _OPERATORS:
            terms.append(f"{key} {_OPERATORS[operator]} ({','.join(rule.get('values') or [])})")
        else:
            terms.append(key if operator == "Exists" else f"!{key}")
    return ",".join(terms)


async def find_pods(cluster: Cluster, owner: Object) -> list[Object]:
    """Return the pods that a workload or a Service selects.

    Raises BadInput for an object that selects none, as ExternalName Services do.
    """
    selector = (owner.get("spec") or {}).get("selector")
    wanted = label_selector({"matchLabels": selector} if owner.get("kind") == "Service" else selector)
    if not wanted:
        name = owner["metadata"]["name"]
        raise BadInput(
            f"{owner.get('kind')} {name!r} has no selector, so it has no pods: name a pod or a workload"
        )
    return await cluster.list("pods", owner["metadata"]["namespace"], label_selector=wanted)


async def find_replica_sets(cluster: Cluster, deployment: Object) -> list[Object]:
    """Return a Deployment's ReplicaSets, oldest revision first."""
    metadata = deployment["metadata"]
    selector = label_selector(deployment["spec"]["selector"])
    found = await cluster.list("replicasets", metadata["namespace"], label_selector=selector)
    return sorted((item for item in found if is_owned_by(item, metadata["uid"])), key=revision)


async def find_events(cluster: Cluster, involved: Object) -> list[Object]:
    """Return an object's events, oldest first. Events of a namesake that was deleted are left out."""
    metadata = involved["metadata"]
    selector = f"involvedObject.name={metadata['name']},involvedObject.kind={involved['kind']}"
    found = await cluster.list("events", metadata.get("namespace"), field_selector=selector)
    # events about a node carry its name for a uid
    mine = {metadata["uid"], metadata["name"], None}
    return sorted((event for event in found if event["involvedObject"].get("uid") in mine), key=last_seen)


def is_owned_by(item: Object, uid: str) -> bool:
    """Tell whether an object has an owner reference to that uid."""
    return any(owner.get("uid") == uid for owner in item["metadata"].get("ownerReferences") or [])


def revision(replica_set: Object) -> int:
    """Return a ReplicaSet's revision, 0 where it has none."""
    return int((replica_set["metadata"].get("annotations") or {}).get(REVISION, 0))


def last_seen(event: Object) -> str:
    """Return when an event was last seen, as RFC 3339, in whichever field its reporter uses."""
    series = (event.get("series") or {}).get("lastObservedTime")
    created = event["metadata"].get("creationTimestamp")
    return str(series or event.get("lastTimestamp") or event.get("eventTime") or created or "")
