"""A pod, or the template of one, in kubectl's words: where most diagnoses are made."""

from typing import Any

from tools.kubectl.layout import NONE, fields, pairs_of, table
from tools.kubernetes.client import Object


def describe_pod(pod: Object) -> list[str]:
    """Return the lines of a pod but for its metadata and events."""
    spec, status = pod.get("spec", {}), pod.get("status", {})
    lines = fields(
        [
            ("Service Account", spec.get("serviceAccountName", NONE)),
            ("Node", spec.get("nodeName", NONE)),
            ("Start Time", status.get("startTime", NONE)),
            ("Status", status.get("phase", "Unknown")),
            *(
                (label, status[key])
                for label, key in (("Reason", "reason"), ("Message", "message"))
                if key in status
            ),
            ("IP", status.get("podIP", NONE)),
            ("QoS Class", status.get("qosClass", NONE)),
            ("Priority", spec.get("priorityClassName") or spec.get("priority", 0)),
            ("Restart Policy", spec.get("restartPolicy", "Always")),
        ]
    )
    return lines + describe_containers(spec, status) + _conditions(status) + describe_placement(spec)


def describe_containers(spec: Object, status: Object) -> list[str]:
    """Return the containers of a pod's or a template's spec; a template has no status."""
    lines: list[str] = []
    for title, key, state in (
        ("Init Containers:", "initContainers", "initContainerStatuses"),
        ("Containers:", "containers", "containerStatuses"),
    ):
        states = {entry["name"]: entry for entry in status.get(state) or []}
        if spec.get(key):
            lines.append(title)
        for container in spec.get(key) or []:
            lines.append(f"  {container['name']}:")
            lines += fields(_container(container, states.get(container["name"])), indent=4)
    return lines + _volumes(spec)


def describe_placement(spec: Object) -> list[str]:
    """Return what bounds the nodes that a pod may run on."""
    tolerations = [_toleration(entry) for entry in spec.get("tolerations") or []]
    return fields(
        [
            ("Node-Selectors", pairs_of(spec.get("nodeSelector"))),
            *([("Affinity", "set, see kubectl_get")] if spec.get("affinity") else []),
            ("Tolerations", tolerations or [NONE]),
        ]
    )


def _container(container: Object, state: Object | None) -> list[tuple[str, Any]]:
    ports = [
        f"{port['containerPort']}/{port.get('protocol', 'TCP')}" for port in container.get("ports") or []
    ]
    rows: list[tuple[str, Any]] = [
        ("Image", container.get("image", NONE)),
        ("Ports", ", ".join(ports) or NONE),
    ]
    rows += [(key.title(), container[key]) for key in ("command", "args") if container.get(key)]
    rows += _state(state) if state else []
    resources = container.get("resources") or {}
    rows += [(key.title(), pairs_of(resources[key])) for key in ("limits", "requests") if resources.get(key)]
    for name in ("liveness", "readiness", "startup"):
        if probe := container.get(f"{name}Probe"):
            rows.append((name.title(), _probe(probe)))
    rows.append(("Environment", _environment(container)))
    mounts = [
        f"{m['mountPath']} from {m['name']}{' (ro)' if m.get('readOnly') else ''}"
        for m in container.get("volumeMounts") or []
    ]
    return [*rows, ("Mounts", mounts or [NONE])]


def _state(status: Object) -> list[tuple[str, Any]]:
    rows = [("State", _moment(status.get("state") or {}))]
    if last := status.get("lastState"):
        rows.append(("Last State", _moment(last)))
    return [*rows, ("Ready", status.get("ready", False)), ("Restart Count", status.get("restartCount", 0))]


def _moment(state: Object) -> list[str]:
    for name, facts in state.items():
        keys = ("reason", "message", "exitCode", "signal", "startedAt", "finishedAt")
        return [name.title(), *(f"  {key}: {facts[key]}" for key in keys if facts.get(key) is not None)]
    return ["Waiting"]


def _probe(probe: Object) -> str:
    action = next(
        (f"{how} {_target(probe[how])}" for how in ("httpGet", "tcpSocket", "exec", "grpc") if how in probe),
        "",
    )
    defaults = {
        "initialDelaySeconds": 0,
        "timeoutSeconds": 1,
        "periodSeconds": 10,
        "successThreshold": 1,
        "failureThreshold": 3,
    }
    return " ".join([action, *(f"{key}={probe.get(key, default)}" for key, default in defaults.items())])


def _target(action: Object) -> str:
    if "command" in action:
        return str(action["command"])
    scheme = f"{action.get('scheme', 'http').lower()}://" if "path" in action else ""
    return f"{scheme}{action.get('host', '')}:{action.get('port', '')}{action.get('path', '')}"


def _environment(container: Object) -> list[str]:
    entries = [f"{entry['name']}: {_variable(entry)}" for entry in container.get("env") or []]
    for source in container.get("envFrom") or []:
        entries += [
            f"all of {kind.removesuffix('Ref')} {source[kind].get('name')}"
            for kind in source
            if kind.endswith("Ref")
        ]
    return entries or [NONE]


def _variable(entry: Object) -> str:
    for source, reference in (entry.get("valueFrom") or {}).items():
        where = reference.get("key") or reference.get("fieldPath") or reference.get("resource")
        optional = ", optional" if reference.get("optional") else ""
        return f"<set to {where} of {source} {reference.get('name', '')}".rstrip() + f"{optional}>"
    return str(entry.get("value", ""))


def _conditions(status: Object) -> list[str]:
    rows = [
        (entry["type"], entry["status"], entry.get("reason", ""), entry.get("message", ""))
        for entry in status.get("conditions") or []
    ]
    return ["Conditions:", *table(("Type", "Status", "Reason", "Message"), rows, indent=2)] if rows else []


def _volumes(spec: Object) -> list[str]:
    rows = []
    for volume in spec.get("volumes") or []:
        source = next((key for key in volume if key != "name"), "emptyDir")
        facts = volume.get(source) or {}
        named = (
            facts.get("name") or facts.get("secretName") or facts.get("claimName") or facts.get("path") or ""
        )
        rows.append(
            (volume["name"], f"{source} {named}".rstrip() + (" (optional)" if facts.get("optional") else ""))
        )
    return ["Volumes:", *fields(rows, indent=2)] if rows else []


def _toleration(entry: Object) -> str:
    text = entry.get("key", "") + (f"={entry['value']}" if entry.get("value") else "")
    text += f":{entry['effect']}" if entry.get("effect") else ""
    text += f" op={entry['operator']}" if entry.get("operator") else ""
    seconds = entry.get("tolerationSeconds")
    return text if seconds is None else f"{text} for {seconds}s"
