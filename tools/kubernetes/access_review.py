"""What a credential may do, as the API server itself says: no role is guessed at, and nothing is tried out.

https://kubernetes.io/docs/reference/access-authn-authz/authorization/#checking-api-access
"""

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass

from tools.kubernetes.client import Cluster
from tools.kubernetes.resource_types import find_kind

_AT_ONCE = 16


@dataclass(frozen=True)
class Right:
    """One verb on one resource, such as `get` on `pods/log`. `namespace` None means in all of them."""

    verb: str
    resource: str
    namespace: str | None = None

    def __str__(self) -> str:
        return f"{self.verb} {self.resource}"

    def attributes(self) -> dict[str, str]:
        """Return the right as a SelfSubjectAccessReview's `resourceAttributes`. Raises UnknownKind."""
        resource, _, subresource = self.resource.partition("/")
        kind = find_kind(resource)
        named = {
            "verb": self.verb,
            "group": kind.group,
            "resource": kind.plural,
            "subresource": subresource,
            "namespace": self.namespace or "",
        }
        return {name: value for name, value in named.items() if value}


async def allowed(cluster: Cluster, right: Right) -> bool:
    """Return whether the cluster's credential holds a right. Raises a ClusterError if it can't be told."""
    return await cluster.review_access(right.attributes())


async def granted(cluster: Cluster, rights: Iterable[Right]) -> list[Right]:
    """Return those rights that the credential holds, in their order; several are asked about at once."""
    asked = list(rights)
    turn = asyncio.Semaphore(_AT_ONCE)

    async def ask(right: Right) -> bool:
        async with turn:
            return await allowed(cluster, right)

    answers = await asyncio.gather(*map(ask, asked))
    return [right for right, held in zip(asked, answers, strict=True) if held]
