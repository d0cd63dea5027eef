"""A cluster without objects, for runs whose mind asks none."""

from typing import Any

from tools.errors import ObjectNotFound


class EmptyCluster:
    """An observer that finds nothing."""

    async def get(self, kind: str, name: str, namespace: str | None) -> dict[str, Any]:
        """Raise `ObjectNotFound`."""
        raise ObjectNotFound(f"{kind} {name} doesn't exist in {namespace}", code=404)

    async def list(
        self, kind: str, namespace: str | None, *, label_selector: str | None = None
    ) -> list[dict[str, Any]]:
        """Return nothing."""
        return []
