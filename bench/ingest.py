"""How many deliveries a second are taken and kept, against a handler that does nothing but keep the bytes."""

import time
from contextlib import AsyncExitStack
from itertools import product
from statistics import median

from bench.clients import make_post, percentile, send_all
from bench.databases import Databases
from bench.driver import Kind, Stand, open_stand
from bench.sections import Chart, Section
from bench.webhooks import webhook_body

_PATH = "/v1/webhooks/alertmanager"
_DELIVERIES, _CONNECTIONS, _ROUNDS = 300, 16, 3
_RUNS = 32  # as many as go on at once
_LEAST_SHARE, _MOST_SPREAD = 0.6, 5.0
_KINDS: tuple[Kind, ...] = ("insert", "intake")


async def measure(databases: Databases) -> Section:
    """Deliver as fast as the answers come, then at half that rate."""
    rows, shares, spreads = [], [], []
    for database in databases.names:
        rates: dict[Kind, list[float]] = {kind: [] for kind in _KINDS}
        half: dict[Kind, list[float]] = {kind: [] for kind in _KINDS}
        async with AsyncExitStack() as stack:
            stands = {kind: await _open(stack, databases, database, kind) for kind in _KINDS}
            for turn, (kind, stand) in product(range(_ROUNDS), stands.items()):
                rate = _DELIVERIES / await _deliver(stand, f"full-{turn}", _DELIVERIES)
                rates[kind].append(rate)
                half[kind] += await _time(stand, f"half-{turn}", _DELIVERIES // 2, rate / 2)
        share = median(rates["intake"]) / median(rates["insert"])
        spread = percentile(half["intake"], 0.99) / median(half["intake"])
        shares.append(share)
        spreads.append(spread)
        for kind, name in (("insert", "one insert"), ("intake", "mendgate")):
            times = half[kind]
            rows.append((
                database, name, f"{median(rates[kind]):.0f}",
                f"{1000 * median(times):.1f}", f"{1000 * percentile(times, 0.99):.1f}",
                f"{share:.2f}" if kind == "intake" else "",
            ))  # fmt: skip
    return Section(
        title="Ingest",
        about=(
            f"Deliveries of three alerts, each delivery about another workload, over {_CONNECTIONS} "
            f"connections, answered when they are committed, while {_RUNS} runs wait for a silent model. "
            "Beside it: a bare FastAPI handler that commits one insert of the same bytes. "
            "The times are those at half the rate."
        ),
        head=("database", "handler", "deliveries/s", "p50, ms", "p99, ms", "share of the bare rate"),
        rows=rows,
        aim=f"at least {_LEAST_SHARE} × the bare rate, and a p99 under {_MOST_SPREAD:g} × p50 at half load",
        met=min(shares) >= _LEAST_SHARE and max(spreads) < _MOST_SPREAD,
        chart=Chart("Deliveries taken in", "a second", column=2),
    )


async def _open(stack: AsyncExitStack, databases: Databases, database: str, kind: Kind) -> Stand:
    """Start a service that is as busy as it is while it is measured."""
    url = stack.enter_context(databases.fresh(database))
    stand = await stack.enter_async_context(open_stand(kind, url))
    await _deliver(stand, "warm", 40)
    for _ in range(_RUNS if kind == "intake" else 0):
        await stand.hear("silent", "mind")
    return stand


async def _deliver(stand: Stand, prefix: str, count: int) -> float:
    began = time.perf_counter()
    await _time(stand, prefix, count)
    return time.perf_counter() - began


async def _time(stand: Stand, prefix: str, count: int, per_second: float = 0) -> list[float]:
    url, token = str(stand.client.base_url), stand.token
    posts = [make_post(url, _PATH, token, webhook_body(f"{prefix}-{number}")) for number in range(count)]
    return await send_all(url, posts, _CONNECTIONS, per_second)
