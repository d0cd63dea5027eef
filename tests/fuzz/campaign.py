"""Sends mutated deliveries to the real app with a real database, and looks at what is kept of them.

`python -m tests.fuzz.campaign --bodies 100000 --seed 1` runs a campaign by itself, on SQLite.
"""

import argparse
import asyncio
import hashlib
import logging
import resource
import sys
import tempfile
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import Any

from sqlalchemy import Select, func, select
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from checkpoints.db.engine import make_engine, parse_url
from checkpoints.db.tables import AlertRow, EntryRow, IncidentRow, WebhookRow
from graph.domain.alerts.payload import AlertGroup
from tests.fuzz.mutations import deliveries
from tests.integration.rest.rest_service import RestService, open_rest_service

_PATHS = ("/v1/webhooks/alertmanager", "/alert")
_ACCEPTED = 202
_REFUSALS = {413, 422}
_PROBLEM = "application/problem+json"
_BATCH = 1000
_MOST_FAULTS = 20
_Identity = tuple[str, datetime, str]


@dataclass
class Tally:
    """What came of a campaign. `faults` are sentences; none is what is hoped for."""

    statuses: Counter[int] = field(default_factory=Counter)
    new_alerts: int = 0
    bytes: int = 0
    faults: list[str] = field(default_factory=list)
    slowest_seconds: float = 0.0
    seconds: float = 0.0

    @property
    def bodies(self) -> int:
        """How many were sent."""
        return sum(self.statuses.values())

    def lines(self) -> Iterator[str]:
        """Return the table for people."""
        yield f"bodies      {self.bodies:>10,}   {self.bodies / self.seconds:,.0f} a second"
        for status, count in sorted(self.statuses.items()):
            yield f"  {status}       {count:>10,}   {100 * count / self.bodies:.1f} %"
        yield f"bytes       {self.bytes:>10,}"
        yield f"new alerts  {self.new_alerts:>10,}"
        yield f"slowest     {self.slowest_seconds:>10.2f} s"
        yield f"faults      {len(self.faults):>10,}"
        yield from self.faults[:_MOST_FAULTS]


class Campaign:
    """Sends the bodies of one seed, in batches."""

    def __init__(self, rest_service: RestService, engine: AsyncEngine, seed: int) -> None:
        self._house = rest_service
        self._engine = engine
        self._deliveries = deliveries(seed)
        self._alerts: set[_Identity] = set()
        self._since = datetime.min.replace(tzinfo=UTC)
        self._digests: Counter[str] = Counter()
        self.tally = Tally()

    async def send(self, bodies: int) -> None:
        """Send a batch, then look at the database."""
        began, self._since = time.monotonic(), datetime.now(UTC)
        self._digests.clear()
        for raw, headers in islice(self._deliveries, bodies):
            await self._send(raw, headers)
        async with self._engine.connect() as connection:
            faults = [fault async for fault in self._look(connection)]
        self.tally.faults += [f"after body {self.tally.bodies}: {fault}" for fault in faults]
        self.tally.seconds += time.monotonic() - began

    async def _send(self, raw: bytes, headers: dict[str, str]) -> None:
        tally, number = self.tally, self.tally.bodies
        began = time.monotonic()
        answer = await self._house.client.post(
            _PATHS[number % 2], content=raw, headers=self._house.as_("ingest") | headers
        )
        tally.slowest_seconds = max(tally.slowest_seconds, time.monotonic() - began)
        tally.statuses[answer.status_code] += 1
        tally.bytes += len(raw)
        if answer.status_code == _ACCEPTED:
            self._digests[hashlib.sha256(raw).hexdigest()] += 1
            tally.new_alerts += answer.json()["new_alerts"]
        elif answer.status_code not in _REFUSALS or answer.headers["content-type"] != _PROBLEM:
            tally.faults.append(f"body {number}, {raw[:200]!r}: {answer.status_code} {answer.text[:200]}")

    async def _look(self, connection: AsyncConnection) -> AsyncIterator[str]:
        """Say what isn't whole: rows that no 202 stands for, and 202s that no rows stand for."""
        webhooks = await _fetch(connection, select(WebhookRow).where(WebhookRow.received_at >= self._since))
        if Counter(row.sha256 for row in webhooks) != self._digests:
            yield f"{len(webhooks)} deliveries are kept, {self._digests.total()} were answered 202"
        alerts = await _fetch(connection, select(AlertRow).where(AlertRow.received_at >= self._since))
        self._alerts.update((row.fingerprint, row.starts_at, row.status) for row in alerts)
        for row in alerts:
            if row.status == "firing" and row.incident_id is None:
                yield f"the firing alert {row.fingerprint!r} has no incident"
        for row in webhooks:
            if lost := _identities(row.body) - self._alerts:
                yield f"delivery {row.id} is kept without its alerts {sorted(lost)[:3]}"
        for what, statement, expected in (
            ("deliveries", select(func.count()).select_from(WebhookRow), self.tally.statuses[_ACCEPTED]),
            ("alerts", select(func.count()).select_from(AlertRow), self.tally.new_alerts),
            ("incidents without an alert", _lonely(select(AlertRow.incident_id)), 0),
            ("incidents without a timeline", _lonely(select(EntryRow.incident_id)), 0),
        ):
            ((found,),) = await _fetch(connection, statement)
            if found != expected:
                yield f"there are {found} {what}, not {expected}"


async def _fetch(connection: AsyncConnection, statement: Select[Any]) -> Sequence[Any]:
    rows: Sequence[Any] = (await connection.execute(statement)).all()
    return rows


def _identities(body: bytes) -> set[_Identity]:
    group = AlertGroup.model_validate_json(body)
    return {(one.fingerprint, one.starts_at.astimezone(UTC), one.status) for one in group.alerts}


def _lonely(owned: Select[Any]) -> Select[Any]:
    column = owned.selected_columns[0]
    return (
        select(func.count())
        .select_from(IncidentRow)
        .where(IncidentRow.id.not_in(owned.where(column.is_not(None))))
    )


@asynccontextmanager
async def opened(folder: Path, database_url: str, seed: int) -> AsyncIterator[Campaign]:
    """Open an app with its database for one campaign."""
    engine = make_engine(parse_url(database_url))
    try:
        async with open_rest_service(folder, database_url) as rest_service:
            yield Campaign(rest_service, engine, seed)
    finally:
        await engine.dispose()


async def _run(bodies: int, seed: int) -> Tally:
    with tempfile.TemporaryDirectory(prefix="mendgate-fuzz-") as folder:
        async with opened(Path(folder), f"sqlite+aiosqlite:///{folder}/ledger.db", seed) as campaign:
            tally = campaign.tally
            for start in range(0, bodies, _BATCH):
                await campaign.send(min(_BATCH, bodies - start))
                print(  # noqa: T201 -- what a person who waits wants to know
                    f"{tally.bodies:,} of {bodies:,}, {tally.bodies / tally.seconds:,.0f} a second, "
                    f"{len(tally.faults)} faults",
                    flush=True,
                )
            return tally


def main() -> None:
    """Run one campaign; the exit code is 1 if it found a fault."""
    parser = argparse.ArgumentParser(description="Sends mutated webhook bodies to mendgate's app.")
    parser.add_argument("--bodies", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    logging.disable(logging.WARNING)
    tally = asyncio.run(_run(given.bodies, given.seed))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    print(f"\nseed {given.seed}, peak memory {peak} MB", *tally.lines(), sep="\n")  # noqa: T201 -- the result
    sys.exit(bool(tally.faults))


if __name__ == "__main__":
    main()
