"""What a Kubernetes 1.36 answered, for tests that hold our own code to it."""

import json
from pathlib import Path
from typing import Any

_FOLDER = Path(__file__).parents[2] / "data" / "kubernetes-1.36"


def recorded(name: str) -> dict[str, Any]:
    """Return one exchange: `request`, `status`, `headers`, `response`."""
    exchange: dict[str, Any] = json.loads((_FOLDER / f"{name}.json").read_bytes())
    return exchange
