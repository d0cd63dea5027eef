"""Which imagePullSecrets to name where a registry refuses access: those that worked for the same registry."""

from collections.abc import Iterator

from graph.runbooks.examples import list_examples
from graph.runbooks.finding import Remedy
from graph.runbooks.history import list_past
from graph.runbooks.images import parse_image
from graph.runbooks.snapshot import Snapshot
from graph.runbooks.templates import PodSpec


def find_pull_secrets(snapshot: Snapshot, image: str) -> Iterator[Remedy]:
    """Yield an older revision's imagePullSecrets, then what all healthy neighbours of the registry name."""
    registry, now = _registry(image), _names(snapshot.template)
    for past in list_past(snapshot):
        then = _names(past.revision.pod_spec)
        if then - now and registry in _registries(past.revision.pod_spec):
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
            break
    near = [
        _names(each.pod_spec)
        for each in list_examples(snapshot)
        if registry and registry in _registries(each.pod_spec)
    ]
    if near and snapshot.siblings and all(names == near[0] for names in near) and near[0] - now:
        names = ", ".join(sorted(near[0] - now))
        yield Remedy(
            container=None,
            fields={"imagePullSecrets": [{"name": name} for name in sorted(near[0] - now)]},
            change=f"name the imagePullSecrets {names}",
            grounding="sibling",
            basis=f"All healthy neighbours that use registry {registry} name {names}.",
            confidence="medium",
            risk="medium",
            evidence=(snapshot.siblings.evidence,),
        )


def _names(spec: PodSpec) -> frozenset[str]:
    return frozenset(each.name for each in spec.image_pull_secrets if each.name)


def _registries(spec: PodSpec) -> frozenset[str]:
    return frozenset(_registry(each.image) for each in (*spec.containers, *spec.init_containers))


def _registry(image: str) -> str:
    parsed = parse_image(image)
    return parsed.repository.partition("/")[0] if parsed else ""
