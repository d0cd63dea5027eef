"""The API server's rules for objects, as far as mendgate's patches can break them."""

import re
from collections.abc import Callable, Iterator

from tools.kubernetes.resource_types import Kind
from tools.sandbox.api_server.pod_validation import check_pod_spec, check_port
from tools.sandbox.api_server.selectors import match_label_selector
from tools.sandbox.api_server.statuses import FieldProblem, invalid
from tools.sandbox.api_server.store import Object

_LABEL_VALUE = re.compile(r"^(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?$")
_LABEL_RULE = (
    "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must"
    " start and end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used"
    " for validation is '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')"
)
_LONGEST_LABEL = 63
_SELECTING = frozenset({"DaemonSet", "Deployment", "ReplicaSet", "StatefulSet"})


def validate(kind: Kind, obj: Object, before: Object | None) -> None:
    """Raise Refusal (422) naming every field that breaks a rule; `before` is None for a new object."""
    problems = [*_labels(obj)]
    if kind.kind in _SELECTING:
        problems += _workload(obj.get("spec") or {}, (before or {}).get("spec"))
    if check := _BY_KIND.get(kind.kind):
        problems += check(obj.get("spec") or {})
    if problems:
        raise invalid(kind.kind, kind.group, obj["metadata"]["name"], problems)


def _labels(obj: Object) -> Iterator[FieldProblem]:
    for value in (obj["metadata"].get("labels") or {}).values():
        if not _LABEL_VALUE.match(value) or len(value) > _LONGEST_LABEL:
            yield FieldProblem.invalid("metadata.labels", value, _LABEL_RULE)


def _workload(spec: Object, before: Object | None) -> Iterator[FieldProblem]:
    selector, template = spec.get("selector") or {}, spec.get("template") or {}
    labels = (template.get("metadata") or {}).get("labels") or {}
    if not selector:
        yield FieldProblem.required("spec.selector")
    if not selector or not match_label_selector(selector)(labels):
        text = f"Invalid value: {_go_map(labels)}: `selector` does not match template `labels`"
        yield FieldProblem("spec.template.metadata.labels", "FieldValueInvalid", text)
    if spec.get("replicas", 1) < 0:
        yield FieldProblem.invalid("spec.replicas", spec["replicas"], "must be greater than or equal to 0")
    yield from check_pod_spec(template.get("spec") or {}, "spec.template.spec")
    if before is not None and before.get("selector") != selector:
        shown = f"v1.LabelSelector{{MatchLabels:{_go_map(selector.get('matchLabels') or {})}}}"
        yield FieldProblem(
            "spec.selector", "FieldValueInvalid", f"Invalid value: {shown}: field is immutable"
        )


def _deployment(spec: Object) -> Iterator[FieldProblem]:
    strategy = spec.get("strategy") or {}
    rolling = strategy.get("rollingUpdate")
    if strategy.get("type") == "Recreate" and rolling is not None:
        yield FieldProblem.forbidden(
            "spec.strategy.rollingUpdate", "may not be specified when strategy `type` is 'Recreate'"
        )
    if rolling and all(
        str(rolling.get(name, 1)).rstrip("%") == "0" for name in ("maxSurge", "maxUnavailable")
    ):
        yield FieldProblem.invalid(
            "spec.strategy.rollingUpdate.maxUnavailable", 0, "may not be 0 when `maxSurge` is 0"
        )
    if spec.get("progressDeadlineSeconds", 600) <= spec.get("minReadySeconds", 0):
        yield FieldProblem.invalid(
            "spec.progressDeadlineSeconds",
            spec["progressDeadlineSeconds"],
            "must be greater than minReadySeconds",
        )


def _service(spec: Object) -> Iterator[FieldProblem]:
    ports = spec.get("ports") or []
    if not ports and spec.get("clusterIP") != "None" and spec.get("type") != "ExternalName":
        yield FieldProblem.required("spec.ports")
    for index, port in enumerate(ports):
        if len(ports) > 1 and not port.get("name"):
            yield FieldProblem.required(f"spec.ports[{index}].name")
        for name in ("port", "targetPort"):
            yield from check_port(port.get(name, 0), f"spec.ports[{index}].{name}")


def _autoscaler(spec: Object) -> Iterator[FieldProblem]:
    least, most = spec.get("minReplicas", 1), spec.get("maxReplicas", 0)
    if most < 1:
        yield FieldProblem.invalid("spec.maxReplicas", most, "must be greater than 0")
    if most < least:
        yield FieldProblem.invalid("spec.maxReplicas", most, "must be greater than or equal to `minReplicas`")


_BY_KIND: dict[str, Callable[[Object], Iterator[FieldProblem]]] = {
    "Deployment": _deployment,
    "HorizontalPodAutoscaler": _autoscaler,
    "Pod": lambda spec: check_pod_spec(spec, "spec"),
    "Service": _service,
}


def _go_map(labels: dict[str, str]) -> str:
    pairs = ", ".join(f'"{key}":"{value}"' for key, value in sorted(labels.items()))
    return f"map[string]string{{{pairs}}}"
