"""Which imagePullSecrets to name where a registry refuses access: those that worked for the same registry.

What a revision of this workload ran with is proposed; what neighbours use is a hint to a person.
"""

from collections.abc import Iterator

from graph.runbooks.evidence.revisions import list_past
from graph.runbooks.evidence.snapshot import Snapshot
from graph.runbooks.objects.finding import Remedy
from graph.runbooks.objects.pod_template import PodSpec
from graph.runbooks.repairs.examples import list_examples
from tools.registry.image_reference import parse_image


def find_pull_secrets(snapshot: Snapshot, image: str) -> Iterator[Remedy]:
    """Yield the imagePullSecrets of the last revision that certainly ran with the same registry."""
    registry, now = _registry(image), _names(snapshot.template)
    for past in list_past(snapshot):
        then = _names(past.revision.pod_spec)
        if past.proof and then - now and registry in _registries(past.revision.pod_spec):
            names = ", ".join(sorted(then - now))
            yield Remedy(
                container=None,
                fields={"imagePullSecrets": [{"name": name} for name in sorted(then - now)]},
                change=f"name the imagePullSecrets {names} again",
                grounding="last_good_revision",
                basis=past.tell(f"named {names} for the same registry"),
                confidence=past.confidence,
                evidence=past.evidence,
            )
            return


def hint_at_neighbours(snapshot: Snapshot, image: str) -> str:
    """Return in a sentence which imagePullSecrets all healthy neighbours of the registry name, or nothing."""
    registry, now = _registry(image), _names(snapshot.template)
    near = [
        _names(each.pod_spec)
        for each in list_examples(snapshot)
        if registry and registry in _registries(each.pod_spec)
    ]
    if not near or any(names != near[0] for names in near) or not near[0] - now:
        return ""
    names = ", ".join(sorted(near[0] - now))
    return f" All healthy neighbours that use registry {registry} name the imagePullSecrets {names}."


def _names(spec: PodSpec) -> frozenset[str]:
    return frozenset(each.name for each in spec.image_pull_secrets if each.name)


def _registries(spec: PodSpec) -> frozenset[str]:
    return frozenset(_registry(each.image) for each in (*spec.containers, *spec.init_containers))


def _registry(image: str) -> str:
    parsed = parse_image(image)
    return parsed.repository.partition("/")[0] if parsed else ""
