"""What a person should do about an image that can't be pulled: with node, platform and commands."""

import shlex
from collections.abc import Iterator

from graph.runbooks.evidence.pull_errors import Why, find_platform, split_name
from graph.runbooks.evidence.pull_failures import Failure
from graph.runbooks.evidence.revisions import list_past
from graph.runbooks.evidence.snapshot import Snapshot
from graph.runbooks.objects.answers import quote
from graph.runbooks.objects.neighbours import Node
from graph.runbooks.objects.nodes import advise_on_node, describe_node, is_sick
from graph.runbooks.repairs.pull_secrets import hint_at_neighbours

_MOST_NODES = 3
_DOCKER_HUB = "https://index.docker.io/v1/"
_WAITS = "The kubelet tries again by itself, at most every 5 minutes"
_LINES: dict[Why, tuple[str, ...]] = {
    "no_platform": (
        (
            "See which platforms {image} is built for: docker buildx imagetools inspect {quoted}. And"
            " which the nodes have: kubectl get nodes -L kubernetes.io/os,kubernetes.io/arch"
        ),
        (
            "Build it for {platform}, too, and push it under the same tag: docker buildx build --platform"
            " PLATFORM,… --tag {quoted} --push . The waiting pods then start by themselves. Where it"
            " can't be built for that, keep its pods on nodes that it is built for: nodeSelector"
            " kubernetes.io/arch in the template of {workload}."
        ),
    ),
    "no_space": (
        (
            "Find out on {nodes} what is full: kubectl describe node {node} (its condition DiskPressure);"
            " on it, df -h and df -i"
        ),
        (
            "Free room there: crictl rmi --prune removes the images that no container uses; du -xsh"
            " /var/log/pods/* | sort -h shows which logs are large."
        ),
        "{waits}, so that it starts once there is room.{elsewhere}",
    ),
    "held_back": (
        (
            "{waits}. If it lasts, many pods start at once on {nodes}: raise registryPullQPS and"
            " registryBurst in the kubelet's configuration (what it has: kubectl get --raw"
            " /api/v1/nodes/{node}/proxy/configz)."
        ),
    ),
    "limited": (
        "Leave {image} as it is. {waits}: the pods start once {registry} allows pulls again.",
        "{account}",
        (
            "For good, let the nodes pull through a cache or a mirror of {registry}; what a node has"
            " already isn't pulled with imagePullPolicy IfNotPresent."
        ),
    ),
    "failing": (
        (
            "Look at the state of the registry {registry}, not at the image: on {nodes}, curl -sSI"
            " https://{registry}/v2/. {waits}."
        ),
    ),
    "unsupported": (
        (
            "Push {image} again with a present-day Docker, which writes a manifest of today's format:"
            " docker pull {quoted} && docker push {quoted}; or rebuild it."
        ),
    ),
    "damaged": (
        (
            "Pull it by hand on {nodes}: crictl rmi {quoted}; crictl pull {quoted}. If that works, its"
            " copy on the node was damaged, and the pod starts by itself."
        ),
        "If it fails on every node, {registry} lost a part of it: push it again under the same tag.",
    ),
    "unresolved": (
        (
            "Check on {nodes}, whose own resolver counts, not that of the pods: getent hosts {registry}; cat"
            " /etc/resolv.conf. Or the name of the registry {registry} is misspelt: then correct the image"
            " {image} of container {name}."
        ),
    ),
    "unreachable": (
        (
            "Check the network, proxies and firewalls on the way to the registry of {image}: on {nodes},"
            " curl -v https://{registry}/v2/. {waits}."
        ),
    ),
    "untrusted": (
        (
            "See which certificate the registry shows, from {nodes}: openssl s_client -connect {port}"
            " -servername {host} </dev/null | openssl x509 -noout -subject -issuer -dates. If it is out"
            " of date, renew it; if the dates are right, check the node's clock (timedatectl)."
        ),
        (
            "If its CA is your own, have the nodes trust it: its certificate in"
            " /etc/containerd/certs.d/{registry} (containerd), /etc/containers/certs.d/{registry} (CRI-O)"
            " or /etc/docker/certs.d/{registry} (Docker); there, too, a registry is named that speaks"
            " plain HTTP."
        ),
    ),
    "unsigned": (
        (
            "See what the policy of {nodes} asks for: /etc/containers/policy.json; sign {image}"
            " accordingly, or have its registry trusted there."
        ),
    ),
    "invalid": ("Correct the image reference {image} of container {name} in its manifest.",),
    "denied": (
        "Check that the repository of {image} exists and that the imagePullSecrets may pull from it.{hint}",
        (
            "See which Secrets are used: kubectl get {object} -n {namespace} -o"
            " jsonpath='{{.spec.template.spec.imagePullSecrets}}'; kubectl get serviceaccount"
            " {account_name} -n {namespace} -o jsonpath='{{.imagePullSecrets}}'"
        ),
    ),
    "no_repository": (
        (
            "Look up how the repository is called: {registry} has none named {repository}. Then correct"
            " the image {image} of container {name}."
        ),
    ),
    "not_found": (
        (
            "Look up which tags the repository of {image} has, and set one of them on container {name}:"
            " skopeo list-tags docker://{registry}/{repository}"
        ),
    ),
    "absent": ("Load {image} onto {nodes}, or change imagePullPolicy of container {name}.",),
    "unclear": ("Pull {image} by hand on {nodes} and read what it answers in full: crictl pull {quoted}",),
    "unsaid": ("Pull {image} by hand on {nodes} and read what the registry answers: crictl pull {quoted}",),
}


def explain_where(snapshot: Snapshot, failure: Failure) -> str:
    """Return the nodes on which an image can't be pulled, with what is known of them."""
    known = {node.metadata.name: node for node in (snapshot.nodes.value if snapshot.nodes else ())}
    shown = [_describe(name, known.get(name), failure) for name in failure.nodes[:_MOST_NODES]]
    more = len(failure.nodes) - len(shown)
    if not shown:
        return _missing(failure) or "its node"
    word = "node" if len(failure.nodes) == 1 else "nodes"
    return f"{word} {', '.join(shown)}{f' and {more} more' if more > 0 else ''}"


def advise(snapshot: Snapshot, failure: Failure) -> Iterator[str]:
    """Yield what a person should do, the first step first."""
    if not failure.in_template and failure.why in {
        "not_found",
        "invalid",
        "no_repository",
        "unsaid",
        "denied",
    }:
        yield (
            f"Container {failure.container} isn't in the workload's template: correct its image where it is"
            " injected."
        )
        return
    if failure.why == "broken_disk":
        yield from (advise_on_node(name) for name in failure.nodes[:_MOST_NODES] or ("NODE",))
        return
    facts = _facts(snapshot, failure)
    yield from filter(None, (line.format(**facts) for line in _LINES[failure.why]))
    if failure.why == "no_platform":
        yield from _go_back(snapshot, failure)


def _facts(snapshot: Snapshot, failure: Failure) -> dict[str, str]:
    workload = snapshot.workload.value
    registry, repository = split_name(failure.image)
    host, _, port = registry.partition(":")
    nodes = failure.nodes[:_MOST_NODES]
    return {
        "image": quote(failure.image),
        "quoted": shlex.quote(quote(failure.image)),
        "name": failure.container,
        "workload": str(workload),
        "object": f"{workload.kind.lower()} {workload.metadata.name}",
        "namespace": workload.metadata.namespace,
        "registry": registry or "REGISTRY",
        "repository": repository or "REPOSITORY",
        "host": host or "REGISTRY",
        "port": f"{host or 'REGISTRY'}:{port or 443}",
        "nodes": f"node {', '.join(nodes)}" if nodes else "the node",
        "node": nodes[0] if nodes else "NODE",
        "platform": _platforms(snapshot, failure) or "the nodes' platform",
        "waits": _WAITS,
        "account_name": snapshot.template.service_account_name,
        "account": _advise_on_account(snapshot, registry) if failure.why == "limited" else "",
        "elsewhere": _elsewhere(snapshot, failure) if failure.why == "no_space" else "",
        "hint": hint_at_neighbours(snapshot, failure.image) if failure.why == "denied" else "",
    }


def _describe(name: str, node: Node | None, failure: Failure) -> str:
    if node is None:
        return name
    if failure.why == "no_platform":
        return f"{name} ({node.platform})" if node.platform else name
    return f"{name} (which {describe_node(node)})" if is_sick(node) else name


def _missing(failure: Failure) -> str:
    platform = find_platform(failure.message) if failure.why == "no_platform" else ""
    return f"its node ({platform})" if platform else ""


def _platforms(snapshot: Snapshot, failure: Failure) -> str:
    nodes = snapshot.nodes.value if snapshot.nodes else ()
    found = {node.platform for node in nodes if node.metadata.name in failure.nodes} - {""}
    return ", ".join(sorted(found)) or find_platform(failure.message)


def _go_back(snapshot: Snapshot, failure: Failure) -> Iterator[str]:
    """Yield the revision that ran with another image: to go back to it is a person's decision."""
    workload = snapshot.workload.value
    for past in list_past(snapshot):
        container = past.revision.pod_spec.find(failure.container)
        if past.proof and container and container.image not in {"", failure.image}:
            number = past.revision.revision
            yield (
                f"{past.tell(f'used {quote(container.image)}')} If an older version will do until then:"
                f" kubectl rollout undo {workload.kind.lower()}/{workload.metadata.name} -n"
                f" {workload.metadata.namespace} --to-revision={number}"
            )
            return


def _advise_on_account(snapshot: Snapshot, registry: str) -> str:
    namespace, account = (
        snapshot.workload.value.metadata.namespace,
        snapshot.template.service_account_name,
    )
    named = [each.name for each in snapshot.template.image_pull_secrets if each.name]
    if named:
        return (
            f"It pulls with the imagePullSecrets {', '.join(named)}: the limit of that account is used up, or"
            f" they aren't for {registry} and it pulls as nobody. Use an account with a higher limit."
        )
    server = _DOCKER_HUB if registry == "docker.io" else registry
    return (
        "It names no imagePullSecrets, and an account may pull more: kubectl create secret docker-registry"
        f" pull-account -n {namespace} --docker-server={server} --docker-username=… --docker-password=…; then"
        f" kubectl patch serviceaccount {account} -n {namespace} -p"
        ' \'{"imagePullSecrets":[{"name":"pull-account"}]}\', and delete the waiting pods.'
    )


def _elsewhere(snapshot: Snapshot, failure: Failure) -> str:
    """Return how the pods start on another node meanwhile; a DaemonSet's can't."""
    if snapshot.workload.value.kind == "DaemonSet" or not failure.nodes:
        return ""
    node, pods = failure.nodes[0], " ".join(failure.pods[:_MOST_NODES])
    return (
        f" To have it start elsewhere before: kubectl cordon {node}; kubectl delete pod {pods} -n"
        f" {snapshot.workload.value.metadata.namespace}; later kubectl uncordon {node}."
    )
