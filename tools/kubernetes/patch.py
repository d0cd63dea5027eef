"""The one mutating call mendgate can make, as data: `kubectl_patch` with an allow-list of arguments.

Nothing else is ever passed on to a tool server: npm's mcp-server-kubernetes, for one, would also take
`patchFile` (a file read at execution) and `context` (another cluster).
"""

import json
import math
import re
import shlex
from collections.abc import Iterator, Mapping
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator
from pydantic.alias_generators import to_camel

APPROVAL_ANNOTATION = "mendgate.io/approval"
APPROVAL_PATH = f'metadata.annotations["{APPROVAL_ANNOTATION}"]'
PatchType = Literal["strategic", "merge", "json"]
_NAME = r"^[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?$"
# kubectl reads a list of operations as YAML, where these break lines and swallow blanks, or are refused.
_NOT_CARRIED = re.compile("[\x7f-\x9f\u2028\u2029\ud800-\udfff\ufffe\uffff]")
# Servers in JavaScript round what is larger.
_LARGEST_NUMBER = 2**53 - 1
# No workload is nested half as deep, and JSON's readers and writers give up somewhere above.
_MOST_DEPTH = 32


class PatchArguments(BaseModel):
    """The exact arguments of `kubectl_patch`, on the wire in camelCase.

    `patchData` is an object for `strategic` and `merge`, a list of operations for `json` (RFC 6902).
    """

    model_config = ConfigDict(
        frozen=True, extra="forbid", alias_generator=to_camel, validate_by_name=True, serialize_by_alias=True
    )

    resource_type: str = Field(pattern=r"^[A-Za-z][A-Za-z0-9.]*$")
    name: str = Field(pattern=_NAME)
    namespace: str = Field(pattern=_NAME)
    patch_type: PatchType = "strategic"
    patch_data: dict[str, Any] | list[dict[str, Any]]

    @field_validator("patch_data")
    @classmethod
    def _require_carried(cls, data: Any) -> Any:
        """Refuse what a tool server would send on changed: approved is what was written here."""
        for leaf, depth in _leaves(data):
            if depth > _MOST_DEPTH:
                raise ValueError(f"patchData is nested more than {_MOST_DEPTH} deep")
            if isinstance(leaf, str) and _NOT_CARRIED.search(leaf):
                raise ValueError("patchData holds a control character or a line separator: leave it out")
            if isinstance(leaf, float) and not math.isfinite(leaf):
                raise ValueError("patchData holds a number that JSON doesn't know: leave it out")
            if isinstance(leaf, int) and abs(leaf) > _LARGEST_NUMBER:
                raise ValueError(
                    f"patchData holds a number above {_LARGEST_NUMBER}: not every server keeps it"
                )
        return data

    def as_json(self) -> dict[str, Any]:
        """Return the arguments as a tool server receives them."""
        return self.model_dump(mode="json")

    def as_command(self) -> str:
        """Return the kubectl command that does the same, for a person to read or run."""
        document = json.dumps(self.patch_data, ensure_ascii=False)
        return (
            f"kubectl patch {self.resource_type} {self.name} -n {self.namespace} "
            f"--type {self.patch_type} --patch {shlex.quote(document)}"
        )

    def stamped(self, approval_id: str, annotations: Mapping[str, str] | None) -> "PatchArguments":
        """Return the same patch carrying the approval's id as an annotation of the object itself.

        `annotations` are the object's present ones (None: it has none): a JSON patch can't add a key to a
        map that isn't there.
        """
        return self._merged(
            {"metadata": {"annotations": {APPROVAL_ANNOTATION: approval_id}}},
            [_annotate(approval_id, annotations)],
        )

    def guarded(self, uid: str, resource_version: str) -> "PatchArguments":
        """Return the same patch made for one version of one object.

        Another version is refused with 409, another object of the same name, or of another cluster, with 422.
        A JSON patch *replaces* both (a `test` on the version would answer 422 instead of 409).
        """
        return self._merged(
            {"metadata": {"uid": uid, "resourceVersion": resource_version}},
            [
                {"op": "replace", "path": "/metadata/uid", "value": uid},
                {"op": "replace", "path": "/metadata/resourceVersion", "value": resource_version},
            ],
        )

    def is_same_change(self, other: "PatchArguments") -> bool:
        """Whether both change the same of the same object."""
        return self.essence == other.essence

    @property
    def essence(self) -> tuple[object, ...]:
        """What the call changes of which object, without what `stamped` and `guarded` add."""
        return (self.resource_type.lower(), self.namespace, self.name, self.change)

    @property
    def change(self) -> dict[str, Any] | list[dict[str, Any]]:
        """The patch without what `stamped` and `guarded` add."""
        data = self.patch_data
        if isinstance(data, list):
            return [one for one in data if not str(one.get("path")).startswith("/metadata/")]
        return {key: value for key, value in data.items() if key != "metadata"}

    def _merged(self, document: dict[str, Any], operations: list[dict[str, Any]]) -> "PatchArguments":
        data = self.patch_data
        merged = [*data, *operations] if isinstance(data, list) else merge(data, document)
        return self.model_copy(update={"patch_data": merged})


def _leaves(data: Any) -> Iterator[tuple[Any, int]]:
    """Yield every key and every value that holds nothing, however deep, with its depth."""
    pending = [(data, 0)]
    while pending:
        one, depth = pending.pop()
        if isinstance(one, dict):
            yield from ((key, depth) for key in one)
            pending += ((value, depth + 1) for value in one.values())
        elif isinstance(one, list) and one:
            pending += ((value, depth + 1) for value in one)
        else:
            yield one, depth


def merge(base: Mapping[str, Any], extra: Mapping[str, Any]) -> dict[str, Any]:
    """Return `base` with `extra` laid over it, maps merged, everything else replaced."""
    merged = dict(base)
    for key, value in extra.items():
        old = merged.get(key)
        merged[key] = merge(old, value) if isinstance(old, dict) and isinstance(value, dict) else value
    return merged


def _annotate(approval_id: str, annotations: Mapping[str, str] | None) -> dict[str, Any]:
    if annotations is None:
        return {"op": "add", "path": "/metadata/annotations", "value": {APPROVAL_ANNOTATION: approval_id}}
    escaped = APPROVAL_ANNOTATION.replace("~", "~0").replace("/", "~1")
    return {"op": "add", "path": f"/metadata/annotations/{escaped}", "value": approval_id}
