"""What stands between users and a workload's pods: Endpoints, Ingresses, autoscalers, budgets, policies."""

from typing import Annotated

from pydantic import Field

from graph.cluster.workloads import Condition
from graph.domain.lenient_model import Part
from graph.runbooks.objects.workloads import Labels, Metadata, Selector

Number = Annotated[int, Field(ge=0, le=2**63)]


class _Subset(Part):
    addresses: tuple[Part, ...] = ()
    not_ready_addresses: tuple[Part, ...] = ()


class Endpoints(Part):
    """The addresses behind a Service of the same name."""

    metadata: Metadata
    subsets: tuple[_Subset, ...] = ()

    @property
    def is_empty(self) -> bool:
        """Whether not even an address that isn't ready is there: the Service selects nothing."""
        return not any(each.addresses or each.not_ready_addresses for each in self.subsets)


class BackendPort(Part):
    """A Service's port, by its number or its name."""

    number: int = 0
    name: str = ""


class _Backend(Part):
    name: str = ""
    port: BackendPort = BackendPort()


class _ServiceBackend(Part):
    service: _Backend | None = None


class _Path(Part):
    path: str = "/"
    backend: _ServiceBackend = _ServiceBackend()


class _Http(Part):
    paths: tuple[_Path, ...] = ()


class _Rule(Part):
    host: str = ""
    http: _Http = _Http()


class _IngressSpec(Part):
    ingress_class_name: str = ""
    default_backend: _ServiceBackend = _ServiceBackend()
    rules: tuple[_Rule, ...] = ()


class Ingress(Part):
    """An Ingress."""

    metadata: Metadata
    spec: _IngressSpec = _IngressSpec()

    @property
    def backends(self) -> tuple[tuple[str, BackendPort], ...]:
        """The Services that it sends to, and on which ports."""
        every = [
            self.spec.default_backend,
            *(path.backend for rule in self.spec.rules for path in rule.http.paths),
        ]
        return tuple((each.service.name, each.service.port) for each in every if each.service)


class _Scaled(Part):
    kind: str = ""
    name: str = ""


class _AutoscalerSpec(Part):
    scale_target_ref: _Scaled = _Scaled()
    min_replicas: Number = 1
    max_replicas: Number = 0


class _AutoscalerStatus(Part):
    conditions: tuple[Condition, ...] = ()
    desired_replicas: Number = 0


class Autoscaler(Part):
    """A HorizontalPodAutoscaler."""

    metadata: Metadata
    spec: _AutoscalerSpec = _AutoscalerSpec()
    status: _AutoscalerStatus = _AutoscalerStatus()

    def condition(self, kind: str, status: str) -> Condition | None:
        """Return the condition of that type if it has that status, or None."""
        found = (each for each in self.status.conditions if (each.type, each.status) == (kind, status))
        return next(found, None)


class _BudgetSpec(Part):
    selector: Selector = Selector()
    min_available: int | str | None = None
    max_unavailable: int | str | None = None


class _BudgetStatus(Part):
    disruptions_allowed: Number = 0
    expected_pods: Number = 0
    current_healthy: Number = 0
    desired_healthy: Number = 0


class Budget(Part):
    """A PodDisruptionBudget."""

    metadata: Metadata
    spec: _BudgetSpec = _BudgetSpec()
    status: _BudgetStatus = _BudgetStatus()


class _PolicyPort(Part):
    port: int | str | None = None
    end_port: int | None = None

    def covers(self, number: int) -> bool:
        """Whether it may mean the port; one that is named, or left out, may be any."""
        if not isinstance(self.port, int):
            return True
        return self.port <= number <= (self.end_port or self.port)


class _IngressRule(Part):
    ports: tuple[_PolicyPort, ...] = ()


class _PolicySpec(Part):
    pod_selector: Selector = Selector()
    policy_types: tuple[str, ...] = ()
    ingress: tuple[_IngressRule, ...] = ()
    egress: tuple[Part, ...] = ()


class Policy(Part):
    """A NetworkPolicy."""

    metadata: Metadata
    spec: _PolicySpec = _PolicySpec()

    def selects(self, labels: Labels) -> bool:
        """Whether it certainly applies to pods with these labels."""
        selector = self.spec.pod_selector
        return not selector.match_expressions and selector.match_labels.items() <= labels.items()

    @property
    def limits_ingress(self) -> bool:
        """Whether it says who may connect to the pods that it applies to."""
        return "Ingress" in self.spec.policy_types or not self.spec.policy_types

    def admits(self, number: int) -> bool:
        """Whether somebody may connect to the port."""
        rules = self.spec.ingress
        return any(not rule.ports or any(port.covers(number) for port in rule.ports) for rule in rules)
