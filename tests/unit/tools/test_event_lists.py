"""Lists of events: where they are cut, what happened last must be in them."""

import json
from typing import Any, cast

from tools.kubernetes.client import Cluster
from tools.mcp.reader_tools import GetArguments, get


class Busy:
    """A cluster with more events than an answer has room for, the oldest first."""

    async def list(self, *_: Any, **__: Any) -> list[dict[str, Any]]:
        return [
            {
                "kind": "Event",
                "metadata": {"name": f"event-{number}", "namespace": "default"},
                "message": "x" * 500,
                "lastTimestamp": f"2026-01-01T{number // 60:02}:{number % 60:02}:00Z",
            }
            for number in range(1_000)
        ]


async def test_of_too_many_events_the_newest_are_kept() -> None:
    call = GetArguments.model_validate({"resourceType": "events", "namespace": "default"})

    answer = json.loads(await get(cast("Cluster", Busy()), call))

    names = [item["metadata"]["name"] for item in answer["items"]]
    assert answer["truncated"]
    assert names[0] == "event-999"
    assert "event-0" not in names
