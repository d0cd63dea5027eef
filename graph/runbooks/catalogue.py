"""The runbooks, in the order in which faults hide one another: what never started hides what came after.

To add one: write a module with `diagnose(snapshot) -> Finding | None`, a pure function that says None
unless the evidence shows its fault, and name it here. It needs no registration elsewhere; docs/runbooks.md
lists what each one looks at and proposes.
"""

from collections.abc import Callable, Mapping

from graph.runbooks.evidence.snapshot import Snapshot
from graph.runbooks.objects.finding import Finding
from graph.runbooks.rules.containers import (
    cpu_throttling,
    environment_variables,
    image_pull,
    missing_configuration,
    out_of_memory,
    permissions,
    start_command,
)
from graph.runbooks.rules.network import (
    certificates,
    dns,
    ingress,
    probe_port,
    probe_response,
    service_selector,
    unknown_host,
)
from graph.runbooks.rules.nodes import lost_nodes, silent_nodes, storage, stuck_pod, unschedulable
from graph.runbooks.rules.rollouts import bad_rollout, pod_creation, scaling, stuck_rollout

Runbook = Callable[[Snapshot], Finding | None]

CATALOGUE: Mapping[str, Runbook] = {
    "stuck_rollout": stuck_rollout.diagnose,
    "creation": pod_creation.diagnose,
    "storage": storage.diagnose,
    "unschedulable": unschedulable.diagnose,
    "lost_nodes": lost_nodes.diagnose,
    "image_pull": image_pull.diagnose,
    "missing_configuration": missing_configuration.diagnose,
    "start_command": start_command.diagnose,
    "out_of_memory": out_of_memory.diagnose,
    "environment": environment_variables.diagnose,
    "unknown_host": unknown_host.diagnose,
    "name_resolution": dns.diagnose,
    "permissions": permissions.diagnose,
    "certificates": certificates.diagnose,
    "probe_port": probe_port.diagnose,
    "probe_answers": probe_response.diagnose,
    "bad_rollout": bad_rollout.diagnose,
    "stuck_pod": stuck_pod.diagnose,
    "silent_nodes": silent_nodes.diagnose,
}
# what keeps others from reaching the pods: no answer to an alert that is about something else
REACH = frozenset({"services", "ingress", "network_policy"})
# where the pods are well
FRONT: Mapping[str, Runbook] = {
    "stopped": stuck_rollout.diagnose,
    "services": service_selector.diagnose,
    "ingress": ingress.diagnose_ingress,
    "autoscaler": scaling.diagnose_autoscaler,
    "cpu_throttling": cpu_throttling.diagnose,
    "budget": scaling.diagnose_budget,
    "network_policy": ingress.diagnose_policy,
}
