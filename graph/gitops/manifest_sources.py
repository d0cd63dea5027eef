"""Where an object's manifest is kept, by the marks that Argo CD, Flux, Helm and operators leave on it."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from graph.policy import find_gitops_owner

_TRACKING, _INSTANCE = "argocd.argoproj.io/tracking-id", "argocd.argoproj.io/instance"
_RELEASE, _RELEASE_PLACE = "meta.helm.sh/release-name", "meta.helm.sh/release-namespace"
_FLUX = (
    ("helm.toolkit.fluxcd.io", "HelmRelease", "helmreleases", "the values of "),
    ("kustomize.toolkit.fluxcd.io", "Kustomization", "kustomizations", ""),
)
# as Kubernetes names objects and groups: what goes into a command
_NAME = re.compile(r"[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?")


@dataclass(frozen=True)
class ManifestSource:
    """Where a change is to be made. `place` goes on from `set it`; `command` shows where that is."""

    place: str
    command: str = ""


def find_sources(document: Mapping[str, Any]) -> tuple[ManifestSource, ...]:
    """Return where an object's manifest comes from, what decides first; none where nothing says so."""
    return tuple(_find(document))


def _find(document: Mapping[str, Any]) -> Iterator[ManifestSource]:
    metadata = document.get("metadata") or {}
    marks = {**(metadata.get("labels") or {}), **(metadata.get("annotations") or {})}
    namespace = str(metadata.get("namespace") or "default")
    yield from _owners(metadata, namespace)
    gitops = next((one for one in (_flux(marks, namespace), _argo(marks)) if one), None)
    if gitops is None and (mark := find_gitops_owner(document)):
        gitops = ManifestSource(f"in Git, where the manifest comes from (managed by GitOps: {mark})")
    if gitops:
        yield gitops
    elif _is_name(release := str(marks.get(_RELEASE, ""))):
        place = marks.get(_RELEASE_PLACE, "")
        at = place if _is_name(place) else namespace
        yield ManifestSource(
            f"in the chart or the values of the Helm release {release} in {at}",
            f"helm get values {release} -n {at}; helm get manifest {release} -n {at}",
        )


def _owners(metadata: Mapping[str, Any], namespace: str) -> Iterator[ManifestSource]:
    for owner in metadata.get("ownerReferences") or []:
        kind, name = str(owner.get("kind", "")), str(owner.get("name", ""))
        if not owner.get("controller") or not kind.isalnum() or not _is_name(name):
            continue
        group = str(owner.get("apiVersion", "")).rpartition("/")[0]
        resource = f"{kind.lower()}.{group}" if _is_name(group) and "." in group else kind.lower()
        yield ManifestSource(
            f"in the owning resource {kind}/{name} in {namespace}, from which its controller makes this one",
            f"kubectl get {resource} {name} -n {namespace} -o yaml",
        )


def _flux(marks: Mapping[str, Any], namespace: str) -> ManifestSource | None:
    for group, kind, plural, part in _FLUX:
        name, place = str(marks.get(f"{group}/name", "")), str(marks.get(f"{group}/namespace", ""))
        if _is_name(name):
            at = place if _is_name(place) else namespace
            return ManifestSource(
                f"in Git, in {part}Flux's {kind} {name} in {at} (managed by GitOps)",
                f"kubectl get {plural}.{group} {name} -n {at} -o yaml",
            )
    return None


def _argo(marks: Mapping[str, Any]) -> ManifestSource | None:
    named = str(marks.get(_TRACKING, "")).partition(":")[0] or str(marks.get(_INSTANCE, ""))
    # an Application outside of Argo CD's own namespace is called by both: `team-a_shop`
    place, _, name = named.rpartition("_")
    if not _is_name(name) or (place and not _is_name(place)):
        return None
    where = f"-n {place}" if place else "-A"
    return ManifestSource(
        f"in Git, in the source of Argo CD's Application {name}{f' in {place}' if place else ''} (managed by"
        " GitOps)",
        f"kubectl get applications.argoproj.io {where} --field-selector metadata.name={name} -o yaml",
    )


def _is_name(text: object) -> bool:
    return isinstance(text, str) and _NAME.fullmatch(text) is not None
