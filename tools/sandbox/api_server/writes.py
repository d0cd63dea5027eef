"""How an object changes: patch, decode, fill in, check against the stored version, validate, store.

The order is the real server's: a stale resourceVersion is refused before anything is validated.
"""

import copy
import itertools
import json
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal

from tools.errors import BadInput
from tools.kubernetes.resource_types import Kind
from tools.sandbox.api_server.defaults import fill_defaults
from tools.sandbox.api_server.patching.go_text import write_go
from tools.sandbox.api_server.patching.json_patch import apply_json_patch, apply_merge_patch
from tools.sandbox.api_server.patching.strategic_merge import apply_strategic_patch
from tools.sandbox.api_server.schema import decode
from tools.sandbox.api_server.statuses import (
    FieldProblem,
    Refusal,
    bad_request,
    conflict,
    invalid,
    not_found,
    undecodable,
    unsupported_media_type,
)
from tools.sandbox.api_server.store import Object, Store, next_generation, same_content
from tools.sandbox.api_server.validation import validate

FieldValidation = Literal["Ignore", "Warn", "Strict"]

_MERGE, _STRATEGIC, _JSON = (
    f"application/{name}-patch+json" for name in ("merge", "strategic-merge", "json")
)
_TEMPLATE_COUNT = "deprecated.daemonset.template.generation"
_SERVER_OWNED = ("creationTimestamp", "generation", "deletionTimestamp", "deletionGracePeriodSeconds")


@dataclass(frozen=True)
class WriteRecord:
    """One accepted write: when, where, by whom, what, and the resourceVersion that it led to.

    A patch that changes nothing is recorded too, with the version that stood already.
    """

    at: datetime
    path: str
    user: str
    body: Any
    resource_version: str


@dataclass(frozen=True)
class PatchRequest:
    """One PATCH as it arrived: `content_type` names the patch type, `body` is the raw JSON."""

    kind: Kind
    namespace: str
    name: str
    content_type: str
    body: bytes
    path: str
    user: str
    dry_run: bool = False
    field_validation: FieldValidation = "Warn"


@dataclass(frozen=True)
class Patched:
    """A patched object, and the fields to warn of: its kind doesn't have them, and they were dropped."""

    obj: Object
    unknown: tuple[str, ...]


class Writer:
    """Applies patches and manifests to the store. `records` lists the accepted patches, oldest first."""

    def __init__(self, store: Store) -> None:
        self.records: list[WriteRecord] = []
        self._store = store
        self._addresses = itertools.count(10)

    def patch(self, request: PatchRequest) -> Patched:
        """Return the patched object; a dry-run's is returned and forgotten. Raises Refusal."""
        body = _parse(request)
        current = self._store.find(request.kind.kind, request.namespace, request.name)
        if current is None:
            raise not_found(request.kind, request.name)
        patched = _apply(request, current, body)
        after, unknown = self._accept(request, body, current, patched)
        warned = tuple(unknown) if request.field_validation == "Warn" else ()
        if request.dry_run:
            return Patched(after, warned)
        stored = self._store.replace(after)
        version = stored["metadata"]["resourceVersion"]
        self.records.append(WriteRecord(datetime.now(UTC), request.path, request.user, body, version))
        return Patched(stored, warned)

    def apply(self, kind: Kind, manifest: Object) -> Object:
        """Create the object, or replace its specification, as `kubectl apply` by an admin would.

        Raises Refusal (422) for an object that breaks its kind's rules.
        """
        try:
            wanted, _ = decode(kind, manifest)
        except BadInput as error:
            raise undecodable(json.dumps(manifest), str(error)) from error
        if kind.namespaced:
            wanted["metadata"].setdefault("namespace", "default")
        place = (str(wanted["metadata"].get("namespace", "")), str(wanted["metadata"]["name"]))
        current = self._store.find(kind.kind, *place)
        if current is None:
            return self._create(kind, wanted)
        merged = {**current, **wanted, "metadata": apply_merge_patch(current["metadata"], wanted["metadata"])}
        return self._store.replace(_finish(kind, current, merged))

    def _create(self, kind: Kind, obj: Object) -> Object:
        fill_defaults(obj)
        if kind.kind == "DaemonSet":
            _count_templates(obj, None)
        validate(kind, obj, None)
        if kind.kind == "Service" and obj["spec"]["type"] != "ExternalName":
            address = obj["spec"].setdefault("clusterIP", f"10.96.0.{next(self._addresses)}")
            obj["spec"].setdefault("clusterIPs", [address])
        if kind.kind == "Namespace":
            obj.setdefault("status", {"phase": "Active"})
        if kind.kind == "Pod":
            obj.setdefault("status", {"phase": "Pending"})
        return self._store.create(kind, obj)

    def _accept(
        self, request: PatchRequest, body: Any, current: Object, patched: Object
    ) -> tuple[Object, list[str]]:
        kind = request.kind
        _check_place(request, patched)
        try:
            decoded, unknown = decode(kind, patched)
        except BadInput as error:
            raise undecodable(write_go(body), str(error)) from error
        if unknown and request.field_validation == "Strict":
            listed = ", ".join(f'unknown field "{field}"' for field in unknown)
            raise undecodable(write_go(body), f"strict decoding error: {listed}")
        _check_version(kind, current, decoded)
        _check_uid(kind, current, decoded)
        return _finish(kind, current, decoded), unknown


def _count_templates(obj: Object, current: Object | None) -> None:
    """Count a DaemonSet's templates as the real server does, whatever a patch says of it."""
    known = (current or {"metadata": {}})["metadata"].get("annotations") or {}
    changed = current is None or current["spec"].get("template") != obj["spec"].get("template")
    annotations = obj["metadata"].setdefault("annotations", {})
    annotations[_TEMPLATE_COUNT] = str(int(known.get(_TEMPLATE_COUNT, "0")) + int(changed))


def _finish(kind: Kind, current: Object, changed: Object) -> Object:
    """Return the new version: server-owned fields as they were, defaults filled in, rules checked."""
    after = copy.deepcopy(changed)
    before, metadata = current["metadata"], after["metadata"]
    for name in (*_SERVER_OWNED, "uid", "resourceVersion"):
        metadata.pop(name, None)
        if name in before:
            metadata[name] = before[name]
    after.pop("status", None)
    if "status" in current:
        after["status"] = current["status"]
    fill_defaults(after)
    if kind.kind == "DaemonSet":
        _count_templates(after, current)
    validate(kind, after, current)
    if not same_content(current, after):
        generation = next_generation(kind, current, after)
        if generation is not None:
            metadata["generation"] = generation
    return after


def _parse(request: PatchRequest) -> Any:
    if request.content_type not in {_MERGE, _STRATEGIC, _JSON}:
        raise unsupported_media_type()
    try:
        body = json.loads(request.body)
    except ValueError as error:
        raise bad_request(f"invalid JSON in the patch: {error}") from error
    wanted: type = list if request.content_type == _JSON else dict
    if not isinstance(body, wanted):
        names: dict[type, str] = {dict: "object", list: "array", str: "string"}
        target = "jsonpatch.Patch" if wanted is list else "map[string]interface {}"
        raise bad_request(
            f"json: cannot unmarshal {names.get(type(body), 'value')} into Go value of type {target}"
        )
    return body


def _apply(request: PatchRequest, current: Object, body: Any) -> Object:
    if request.content_type == _JSON:
        return apply_json_patch(current, body)
    if request.content_type == _STRATEGIC:
        return apply_strategic_patch(request.kind.kind, current, body)
    merged: Object = apply_merge_patch(current, body)
    return merged


def _check_place(request: PatchRequest, patched: Object) -> None:
    metadata = patched.get("metadata")
    if not isinstance(metadata, dict):
        raise undecodable(request.body.decode(errors="replace"), "metadata must be an object")
    if (name := metadata.get("name", request.name)) != request.name:
        raise bad_request(
            f"the name of the object ({name}) does not match the name on the URL ({request.name})"
        )
    if (namespace := metadata.get("namespace", request.namespace)) != request.namespace:
        raise bad_request(
            f"the namespace of the object ({namespace}) does not match the namespace on the request"
            f" ({request.namespace})"
        )
    kind = (patched.get("apiVersion"), patched.get("kind"))
    if kind != (request.kind.api_version, request.kind.kind):
        why = f'no kind "{kind[1]}" is registered for version "{kind[0]}"'
        raise undecodable(request.body.decode(errors="replace"), why)
    metadata.update({"name": request.name, **({"namespace": request.namespace} if request.namespace else {})})


def _check_version(kind: Kind, current: Object, patched: Object) -> None:
    version = patched["metadata"].get("resourceVersion") or current["metadata"]["resourceVersion"]
    if not str(version).isdigit():
        raise Refusal(500, f'strconv.ParseUint: parsing "{version}": invalid syntax')
    if version != current["metadata"]["resourceVersion"]:
        raise conflict(kind, current["metadata"]["name"])


def _check_uid(kind: Kind, current: Object, patched: Object) -> None:
    uid = patched["metadata"].get("uid") or current["metadata"]["uid"]
    if uid != current["metadata"]["uid"]:
        problem = FieldProblem.invalid("metadata.uid", uid, "field is immutable")
        raise invalid(kind.kind, kind.group, current["metadata"]["name"], [problem])
