"""The API server's rules for a pod's containers, probes, ports, resources and volumes."""

import re
from collections.abc import Iterator
from typing import Any

from tools.sandbox.api_server.quantities import parse_quantity
from tools.sandbox.api_server.statuses import FieldProblem
from tools.sandbox.api_server.store import Object

_DNS_LABEL = re.compile(r"^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$")
_DNS_RULE = (
    "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and"
    " end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is"
    " '[a-z0-9]([-a-z0-9]*[a-z0-9])?')"
)
_HANDLERS = ("exec", "grpc", "httpGet", "tcpSocket")
_PROBES = ("livenessProbe", "readinessProbe", "startupProbe")
_LAST_PORT = 65535


def check_pod_spec(spec: Object, path: str) -> Iterator[FieldProblem]:
    """Yield what breaks a rule in a pod's specification."""
    if not spec.get("containers"):
        yield FieldProblem.required(f"{path}.containers")
    volumes = {volume.get("name") for volume in spec.get("volumes") or []}
    seen: set[str] = set()
    for group in ("containers", "initContainers"):
        for index, container in enumerate(spec.get(group) or []):
            where = f"{path}.{group}[{index}]"
            yield from _container(container, where, volumes)
            if (name := container.get("name")) in seen:
                yield FieldProblem(f"{where}.name", "FieldValueDuplicate", f'Duplicate value: "{name}"')
            seen.add(str(name))


def check_port(port: Any, path: str) -> Iterator[FieldProblem]:
    """Yield a problem for a number that is no port; names pass."""
    if isinstance(port, int) and not 1 <= port <= _LAST_PORT:
        yield FieldProblem.invalid(path, port, f"must be between 1 and {_LAST_PORT}, inclusive")


def _container(container: Object, path: str, volumes: set[Any]) -> Iterator[FieldProblem]:
    name = container.get("name", "")
    if not name:
        yield FieldProblem.required(f"{path}.name")
    elif not _DNS_LABEL.match(name):
        yield FieldProblem.invalid(f"{path}.name", name, _DNS_RULE)
    if not container.get("image"):
        yield FieldProblem.required(f"{path}.image")
    for probe in (one for one in _PROBES if one in container):
        yield from _probe(container[probe], f"{path}.{probe}")
    yield from _lists(container, path, volumes)
    yield from _resources(container.get("resources") or {}, f"{path}.resources")


def _lists(container: Object, path: str, volumes: set[Any]) -> Iterator[FieldProblem]:
    for index, port in enumerate(container.get("ports") or []):
        yield from check_port(port.get("containerPort", 0), f"{path}.ports[{index}].containerPort")
    for index, variable in enumerate(container.get("env") or []):
        if not variable.get("name"):
            yield FieldProblem.required(f"{path}.env[{index}].name")
    for index, mount in enumerate(container.get("volumeMounts") or []):
        if mount.get("name") not in volumes:
            text = f'Not found: "{mount.get("name", "")}"'
            yield FieldProblem(f"{path}.volumeMounts[{index}].name", "FieldValueNotFound", text)


def _probe(probe: Object, path: str) -> Iterator[FieldProblem]:
    handlers = [name for name in _HANDLERS if name in probe]
    if not handlers:
        yield FieldProblem.required(path, "must specify a handler type")
    for extra in handlers[1:]:
        yield FieldProblem.forbidden(f"{path}.{extra}", "may not specify more than 1 handler type")
    for name in handlers:
        if name in {"httpGet", "tcpSocket"}:
            yield from check_port(probe[name].get("port", 0), f"{path}.{name}.port")
    for name in ("initialDelaySeconds", "timeoutSeconds", "periodSeconds", "failureThreshold"):
        if probe.get(name, 0) < 0:
            yield FieldProblem.invalid(f"{path}.{name}", probe[name], "must be greater than or equal to 0")


def _resources(resources: Object, path: str) -> Iterator[FieldProblem]:
    limits, requests = resources.get("limits") or {}, resources.get("requests") or {}
    for group, amounts in (("limits", limits), ("requests", requests)):
        for name, amount in amounts.items():
            if parse_quantity(amount) < 0:
                where = f"{path}.{group}[{name}]"
                yield FieldProblem.invalid(where, amount, "must be greater than or equal to 0")
    for name, amount in requests.items():
        if name in limits and parse_quantity(amount) > parse_quantity(limits[name]):
            yield FieldProblem.invalid(
                f"{path}.requests", amount, f"must be less than or equal to {name} limit"
            )
