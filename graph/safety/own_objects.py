"""Which objects mendgate itself runs by: what it would change there, it couldn't see through."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

from graph.cluster.workloads import selects
from graph.ports import ClusterReader
from tools.errors import ClusterError, ClusterUnreachable

NAME, NAMESPACE = "POD_NAME", "POD_NAMESPACE"


@dataclass(frozen=True)
class OwnPod:
    """The pod that this process runs in, as the Downward API names it."""

    name: str
    namespace: str

    @classmethod
    def of(cls, environment: Mapping[str, str]) -> Self | None:
        """Return it, or None outside of a cluster and where the environment doesn't say."""
        name, namespace = environment.get(NAME, ""), environment.get(NAMESPACE, "")
        return cls(name, namespace) if name and namespace else None

    async def refuse(self, document: Mapping[str, Any], cluster_reader: ClusterReader) -> str | None:
        """Return why an object isn't changed, or None where mendgate doesn't depend on it.

        That is its own workload, and a Service in front of it. Raises `ClusterUnreachable`.
        """
        metadata, kind = document["metadata"], document["kind"]
        if metadata.get("namespace") != self.namespace:
            return None
        own = (
            await self._is_behind(document, cluster_reader)
            if kind == "Service"
            else self._is_of(metadata["name"])
        )
        if not own:
            return None
        return (
            f"{kind}/{metadata['name']} is mendgate itself, which would be cut off from its own change: "
            "a person must make it"
        )

    def _is_of(self, workload: str) -> bool:
        # what controllers call their pods; it needs no right to read them
        return self.name.startswith(f"{workload}-")

    async def _is_behind(self, service: Mapping[str, Any], cluster_reader: ClusterReader) -> bool:
        try:
            pod = await cluster_reader.get("Pod", self.name, self.namespace)
        except ClusterUnreachable:
            raise
        except ClusterError:
            return True  # it can't be told, so it may be
        return selects(service, pod["metadata"].get("labels") or {})
