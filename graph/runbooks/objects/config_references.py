"""Where a pod's template names ConfigMaps and Secrets, and how to make it name others."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from graph.runbooks.objects.pod_template import (
    ConfigMapVolume,
    Container,
    EnvFrom,
    PodSpec,
    Reference,
    SecretVolume,
    Volume,
)

SourceKind = Literal["ConfigMap", "Secret"]
# the kubelet names the volume: what the volume is made of is in the template
_VOLUME_KEY = re.compile(
    r'volume "(?P<volume>[-a-z0-9]{1,63})" : .{0,400}?references non-existent (?:config|secret) key: '
    r"(?P<key>[-._a-zA-Z0-9]{1,253})",
    re.DOTALL,
)
_VOLUME_FIELDS: Mapping[SourceKind, str] = {"ConfigMap": "configMap", "Secret": "secret"}


@dataclass(frozen=True)
class Place:
    """Where one is named: a container's variable, its n-th `envFrom`, a volume or a file of one.

    `container` is empty for volumes.
    """

    container: str
    entry: str


@dataclass(frozen=True)
class Use:
    """A ConfigMap or Secret as it is named at a place; `key` is empty where all keys are meant."""

    place: Place
    kind: SourceKind
    name: str
    key: str
    optional: bool


def list_uses(spec: PodSpec) -> Iterator[Use]:
    """Yield every place of a template that names a ConfigMap or a Secret."""
    for container in (*spec.containers, *spec.init_containers):
        for variable in container.env:
            source = variable.value_from
            for kind, reference in _both(source.config_map_key_ref, source.secret_key_ref) if source else ():
                place = Place(container.name, f"env {variable.name}")
                yield Use(place, kind, reference.name, reference.key, reference.optional)
        for number, each in enumerate(container.env_from):
            for kind, reference in _both(each.config_map_ref, each.secret_ref):
                place = Place(container.name, f"envFrom {number}")
                yield Use(place, kind, reference.name, "", reference.optional)
    for volume in spec.volumes:
        for kind, name, files in _sources(volume):
            yield Use(Place("", f"volume {volume.name}"), kind, name, "", files.optional)
            for item in files.items:
                place = Place("", f"volume {volume.name} file {item.path}")
                yield Use(place, kind, name, item.key, files.optional)


def rename(spec: PodSpec, kind: SourceKind, old: str, new: str) -> dict[str, Any]:
    """Return the patch of a pod's spec that names the new ConfigMap or Secret wherever it named the old."""
    fields: dict[str, Any] = {}
    for group, containers in (("containers", spec.containers), ("initContainers", spec.init_containers)):
        renamed = [_rename_in(each, kind, old, new) for each in containers]
        if changed := [each for each in renamed if len(each) > 1]:
            fields[group] = changed
    field, name = ("configMap", "name") if kind == "ConfigMap" else ("secret", "secretName")
    volumes = [{"name": each.name, field: {name: new}} for each in spec.volumes if _names(each, kind) == old]
    return {**fields, **({"volumes": volumes} if volumes else {})}


def rekey(spec: PodSpec, kind: SourceKind, name: str, old: str, new: str) -> dict[str, Any]:
    """Return the patch of a pod's spec that takes another key of the same ConfigMap or Secret."""
    fields: dict[str, Any] = {}
    field = "configMapKeyRef" if kind == "ConfigMap" else "secretKeyRef"
    for group, containers in (("containers", spec.containers), ("initContainers", spec.init_containers)):
        for container in containers:
            variables = [
                {"name": use.place.entry.removeprefix("env "), "valueFrom": {field: {"key": new}}}
                for use in list_uses(PodSpec(containers=(container,)))
                if (use.kind, use.name, use.key) == (kind, name, old)
            ]
            if variables:
                fields.setdefault(group, []).append({"name": container.name, "env": variables})
    volumes = [
        {"name": volume.name, _VOLUME_FIELDS[kind]: {"items": _rekeyed(source, old, new)}}
        for volume in spec.volumes
        for its_kind, its_name, source in _sources(volume)
        if (its_kind, its_name) == (kind, name) and any(item.key == old for item in source.items)
    ]
    return {**fields, **({"volumes": volumes} if volumes else {})}


def find_volume_key(spec: PodSpec, message: str) -> tuple[SourceKind, str, str] | None:
    """Return the kind, name and key that a volume takes and the kubelet didn't find, or None."""
    match = _VOLUME_KEY.search(message)
    volume = next((one for one in spec.volumes if match and one.name == match["volume"]), None)
    found = next(_sources(volume), None) if volume else None
    return (found[0], found[1], match["key"]) if match and found else None


def _rekeyed(source: ConfigMapVolume | SecretVolume, old: str, new: str) -> list[dict[str, Any]]:
    # a list without a merge key is replaced as a whole
    return [{**item.as_patch(), "key": new if item.key == old else item.key} for item in source.items]


def _sources(volume: Volume) -> Iterator[tuple[SourceKind, str, ConfigMapVolume | SecretVolume]]:
    if volume.config_map:
        yield "ConfigMap", volume.config_map.name, volume.config_map
    if volume.secret:
        yield "Secret", volume.secret.secret_name, volume.secret


def _rename_in(container: Container, kind: SourceKind, old: str, new: str) -> dict[str, Any]:
    field = "configMapKeyRef" if kind == "ConfigMap" else "secretKeyRef"
    variables = [
        {"name": use.place.entry.removeprefix("env "), "valueFrom": {field: {"name": new}}}
        for use in list_uses(PodSpec(containers=(container,)))
        if (use.kind, use.name) == (kind, old) and use.place.entry.startswith("env ")
    ]
    whole = "configMapRef" if kind == "ConfigMap" else "secretRef"
    # a list without a merge key is replaced as a whole
    sources = [_renamed(each, whole, old, new) for each in container.env_from]
    changed = sources != [each.as_patch() for each in container.env_from]
    return {
        "name": container.name,
        **({"env": variables} if variables else {}),
        **({"envFrom": sources} if changed else {}),
    }


def _renamed(source: EnvFrom, field: str, old: str, new: str) -> Mapping[str, Any]:
    document = source.as_patch()
    reference = document.get(field)
    if isinstance(reference, dict) and reference.get("name") == old:
        return {**document, field: {**reference, "name": new}}
    return document


def _names(volume: Volume, kind: SourceKind) -> str | None:
    if kind == "ConfigMap":
        return volume.config_map.name if volume.config_map else None
    return volume.secret.secret_name if volume.secret else None


def _both(config_map: Reference | None, secret: Reference | None) -> tuple[tuple[SourceKind, Reference], ...]:
    found: tuple[tuple[SourceKind, Reference | None], ...] = (("ConfigMap", config_map), ("Secret", secret))
    return tuple((kind, reference) for kind, reference in found if reference is not None)
