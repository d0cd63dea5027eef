"""The Kubernetes API as plain JSON, through one credential on one cluster.

Raw REST over a typed client's models, so that no field is dropped and previous logs can be read.
Reference: https://kubernetes.io/docs/reference/using-api/api-concepts/
"""

from pathlib import Path
from types import TracebackType
from typing import Any, Self

from tools.kubernetes.patch import PatchType
from tools.kubernetes.resource_types import Kind, find_kind
from tools.kubernetes.transport import Answer, ApiServer

Object = dict[str, Any]
Objects = list[Object]

FIELD_MANAGER = "mendgate"
LOG_LIMIT_BYTES = 1_000_000
_PAGE_SIZE = 500
_ACCESS_REVIEWS = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
_CONTENT_TYPES: dict[PatchType, str] = {
    "strategic": "application/strategic-merge-patch+json",
    "merge": "application/merge-patch+json",
    "json": "application/json-patch+json",
}


class Cluster:
    """One credential on one cluster. Close it, or use it as an async context manager.

    Kinds may be given by any name that `find_kind` knows. Every call raises a ClusterError: ObjectNotFound,
    PermissionDenied, WriteConflict and RequestRejected are the server's refusal, nothing was written; after
    ClusterUnreachable the outcome of a write is unknown.
    """

    def __init__(self, api: ApiServer) -> None:
        self._api = api

    @classmethod
    def from_kubeconfig(
        cls, path: Path | None, *, context: str | None = None, timeout_seconds: float = 10.0
    ) -> Self:
        """Prepare a client; no request is made yet.

        `path` None means the ServiceAccount of the pod that this runs in; `context` None the file's current
        one; `timeout_seconds` bounds the connecting, each wait for data, and the wait for a free connection.
        Raises BadInput if the file can't be used.
        """
        return cls(ApiServer.from_kubeconfig(path, context, timeout_seconds))

    @property
    def context(self) -> str:
        """The kubeconfig's context, `in-cluster` for a pod's ServiceAccount."""
        return self._api.context

    @property
    def server(self) -> str:
        """The API server's URL."""
        return self._api.url

    async def is_sandbox(self) -> bool:
        """Whether this is mendgate's sandbox, which says so in its version. Raises ClusterError."""
        return "sandbox" in str((await self.version()).get("gitVersion", ""))

    async def get(self, kind: Kind | str, name: str, namespace: str | None) -> Object:
        """Return one object, whole. `namespace` is ignored for kinds of the cluster itself."""
        return (await self._api.request("GET", _resolve(kind).path(namespace, name))).document

    async def list(
        self,
        kind: Kind | str,
        namespace: str | None,
        *,
        label_selector: str | None = None,
        field_selector: str | None = None,
    ) -> list[Object]:
        """Return all objects that match, in one namespace or (None) in all, page by page.

        Lists leave apiVersion and kind out of their items; they are filled in.
        """
        selectors = {"labelSelector": label_selector, "fieldSelector": field_selector}
        query = {"limit": str(_PAGE_SIZE), **{key: value for key, value in selectors.items() if value}}
        found: Objects = []
        while True:
            page = (await self._api.request("GET", _resolve(kind).path(namespace), query)).document
            named = {"apiVersion": page.get("apiVersion"), "kind": str(page.get("kind")).removesuffix("List")}
            found += [{**named, **item} for item in page.get("items") or []]
            token = page.get("metadata", {}).get("continue")
            if not token:
                return found
            query["continue"] = token

    async def patch(  # noqa: PLR0913 - what a patch is made of
        self,
        kind: Kind | str,
        name: str,
        namespace: str | None,
        patch_type: PatchType,
        body: Object | Objects,
        *,
        dry_run: bool,
    ) -> Answer:
        """Patch one object; return it as it then is (with `dry_run`: as it would be), and all warnings.

        Servers that validate fields (Kubernetes 1.25 and later) refuse a misspelled or doubled one; older
        ones take no notice of the wish, and drop it.
        """
        query = {"fieldManager": FIELD_MANAGER, "fieldValidation": "Strict"}
        if dry_run:
            query["dryRun"] = "All"
        path, content_type = _resolve(kind).path(namespace, name), _CONTENT_TYPES[patch_type]
        return await self._api.request("PATCH", path, query, body=body, content_type=content_type)

    async def logs(  # noqa: PLR0913 - the options of `kubectl logs`
        self,
        pod: str,
        namespace: str,
        *,
        container: str | None = None,
        previous: bool = False,
        tail_lines: int = 100,
        since_seconds: int | None = None,
    ) -> str:
        """Return the end of one container's log, cut to 1 MB and without NUL bytes.

        `container` None means the pod's only one; `previous` the run before the last restart.
        """
        options = {
            "tailLines": tail_lines,
            "limitBytes": LOG_LIMIT_BYTES,
            "container": container,
            "previous": "true" if previous else None,
            "sinceSeconds": since_seconds,
        }
        query = {key: str(value) for key, value in options.items() if value is not None}
        raw = await self._api.read_bytes(f"{find_kind('pod').path(namespace, pod)}/log", query)
        # Postgres refuses NUL in text, and containers do write it
        return raw[:LOG_LIMIT_BYTES].decode("utf-8", "replace").replace("\0", "")

    async def version(self) -> Object:
        """Return what the server says about itself, such as `gitVersion`."""
        return (await self._api.request("GET", "/version")).document

    async def review_access(self, attributes: dict[str, str]) -> bool:
        """Return whether the server would let this credential do something; nothing is stored by asking.

        `attributes` are a SelfSubjectAccessReview's `resourceAttributes`; `tools.kubernetes.access_review`
        writes them.
        """
        review = {
            "apiVersion": "authorization.k8s.io/v1",
            "kind": "SelfSubjectAccessReview",
            "spec": {"resourceAttributes": attributes},
        }
        answer = await self._api.request(
            "POST", _ACCESS_REVIEWS, body=review, content_type="application/json"
        )
        return (answer.document.get("status") or {}).get("allowed") is True

    async def aclose(self) -> None:
        """Close the connections."""
        await self._api.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()


def _resolve(kind: Kind | str) -> Kind:
    return find_kind(kind) if isinstance(kind, str) else kind
