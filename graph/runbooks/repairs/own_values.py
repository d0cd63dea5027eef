"""Which options name another environment, region, tenant or part of the system: these aren't proposed."""

from collections.abc import Mapping
from typing import Any

from graph.domain.changes.new_values import proposed_values
from graph.domain.naming.identity import Identity, Labelled, identify
from graph.runbooks.evidence.snapshot import Snapshot
from graph.runbooks.objects.finding import Option
from graph.runbooks.repairs.examples import identify_workload, list_names
from graph.safety.foreign_values import find_strays


def find_foreign(snapshot: Snapshot, option: Option) -> tuple[str, ...]:
    """Return in words what the option's values name that isn't the object's own; nothing for a good one."""
    call = option.candidate.call
    own, before = (
        _service(snapshot, call.name)
        if call.resource_type == "service"
        else (identify_workload(snapshot), snapshot.workload.value.model_dump(mode="json", by_alias=True))
    )
    return find_strays(proposed_values(call.patch_data), before, own)


def _service(snapshot: Snapshot, name: str) -> tuple[Identity, Mapping[str, Any]]:
    services = snapshot.front.services.value if snapshot.front and snapshot.front.services else ()
    service = next(each for each in services if each.metadata.name == name)
    own = identify(
        f"Service/{name}",
        Labelled(name, service.metadata.labels),
        service.metadata.namespace,
        (Labelled(each.metadata.name) for each in services),
        list_names(snapshot),
    )
    return own, service.model_dump(mode="json", by_alias=True)
