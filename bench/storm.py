"""A storm: 10,000 alerts of 200 workloads within a minute."""

import asyncio
import json
import time
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import func, select

from bench.clients import make_post, send_all
from bench.databases import Databases
from bench.driver import Stand, open_stand
from bench.sections import Section
from bench.webhooks import webhook_body
from checkpoints.db.tables import AlertRow, IncidentRow
from tests.databases import query

_WORKLOADS, _ALERTS_EACH, _PER_DELIVERY, _SECONDS = 200, 50, 10, 60
_CONNECTIONS = 16
_LONGEST_SECONDS = 300


async def measure(databases: Databases) -> Section:
    """Deliver them evenly over the minute, and wait until each workload has its proposal."""
    rows, met = [], True
    for database in databases.names:
        with databases.fresh(database) as url:
            async with open_stand("mendgate", url) as stand:
                idle = (await stand.usage())["rss_mb"]
                began = time.perf_counter()
                deliveries = _deliveries()
                token, address = stand.token, str(stand.client.base_url)
                posts = [make_post(address, "/v1/webhooks/alertmanager", token, one) for one in deliveries]
                await send_all(address, posts, _CONNECTIONS, len(posts) / _SECONDS)
                delivered = time.perf_counter() - began
                proposed = await _await_proposals(stand, began)
                incidents, alerts = await _count(url)
                most = (await stand.usage())["rss_mb"]
        lost = _WORKLOADS * _ALERTS_EACH - alerts
        met = met and incidents == _WORKLOADS and lost == 0
        rows.append((
            database, f"{delivered:.0f}", str(incidents), str(lost), str(incidents - _WORKLOADS),
            f"{proposed:.0f}", f"{idle:.0f} → {most:.0f}",
        ))  # fmt: skip
    return Section(
        title="Storm",
        about=(
            f"{_WORKLOADS * _ALERTS_EACH:,} alerts of {_WORKLOADS} workloads, {_PER_DELIVERY} in a delivery, "
            f"spread evenly over {_SECONDS} s."
        ),
        head=(
            "database", "delivered within, s", "incidents", "alerts lost", "incidents too many",
            "all proposed after, s", "memory, MB",
        ),
        rows=rows,
        aim=f"{_WORKLOADS} incidents, no alert lost, none doubled",
        met=met,
    )  # fmt: skip


def _deliveries() -> list[bytes]:
    made = []
    for start in range(0, _ALERTS_EACH, _PER_DELIVERY):
        for workload in range(_WORKLOADS):
            body = json.loads(webhook_body(f"storm-{workload}"))
            numbers = range(start, start + _PER_DELIVERY)
            body["alerts"] = [_alert(body["alerts"][0], workload, number) for number in numbers]
            made.append(json.dumps(body).encode())
    return made


def _alert(model: dict[str, Any], workload: int, number: int) -> dict[str, Any]:
    labels = {**model["labels"], "container": f"c{number}"}
    return {
        **model,
        "labels": labels,
        "fingerprint": f"{workload:08x}{number:08x}",
        "startsAt": datetime.now(UTC).isoformat(),
    }


async def _await_proposals(stand: Stand, began: float) -> float:
    while time.perf_counter() - began < _LONGEST_SECONDS:
        waiting = 0
        token = ""
        while True:
            path = f"/v1/approvals?status=pending&limit=200{f'&continue={token}' if token else ''}"
            page = (await stand.request("GET", path)).json()
            waiting += len(page["items"])
            if not (token := page["continue"] or ""):
                break
        if waiting >= _WORKLOADS:
            return time.perf_counter() - began
        await asyncio.sleep(0.5)
    raise AssertionError(f"only {waiting} proposals after {_LONGEST_SECONDS} s")


async def _count(url: str) -> tuple[int, int]:
    (incidents,), (alerts,) = [
        (await query(url, select(func.count()).select_from(table)))[0] for table in (IncidentRow, AlertRow)
    ]
    return incidents, alerts
