"""What people look at, the API's lists and the page, beside few incidents and beside many."""

import base64
import time
from collections import defaultdict
from collections.abc import Mapping
from statistics import median

from bench.copies import name_copy
from bench.driver import Stand
from bench.sections import Section

_ROUNDS = 9
_MOST = 1.5
_NOWHERE = "nothing-is-called-so"
_FEW = "page `/history?about=web` (few have it)"
_NONE = f"page `/history?about={_NOWHERE}` (none has it)"
_SCANS = (_FEW, _NONE)
Times = Mapping[str, float]


async def time_lists(stands: Mapping[int, Stand]) -> dict[int, Times]:
    """Return the median seconds of each look, which are had in turns.

    The services, to whose pages one must be signed in, are known by the number of copies in their databases.
    """
    looks = {copies: await _looks(stand, copies // 2) for copies, stand in stands.items()}
    taken: dict[int, dict[str, list[float]]] = {copies: defaultdict(list) for copies in stands}
    for _ in range(_ROUNDS):
        for name in next(iter(looks.values())):
            for copies, stand in stands.items():
                began = time.perf_counter()
                await stand.request("GET", looks[copies][name])
                taken[copies][name].append(time.perf_counter() - began)
    return {
        copies: {name: median(times) for name, times in by_name.items()} for copies, by_name in taken.items()
    }


async def _looks(stand: Stand, middle: int) -> dict[str, str]:
    """Return the paths that are looked at; `middle` is the copy in the middle."""
    incident = name_copy(middle)
    token = await _token_behind(stand, incident)
    return {
        "`/v1/incidents`, first page": "/v1/incidents?limit=20",
        "`/v1/incidents`, in the middle": f"/v1/incidents?limit=20&continue={token}",
        "`/v1/incidents?status=resolved`": "/v1/incidents?status=resolved&limit=20",
        "`/v1/approvals?status=pending`": "/v1/approvals?status=pending&limit=20",
        "`/v1/approvals?status=unknown` (none)": "/v1/approvals?status=unknown&limit=20",
        "`/v1/audit`": "/v1/audit?limit=20",
        "`/v1/audit?incident=…`": f"/v1/audit?incident={incident}",
        "page `/`": "/",
        "page `/history`": "/history",
        "page `/history?about=copied` (nearly all have it)": "/history?about=copied",
        _FEW: "/history?about=web",
        _NONE: f"/history?about={_NOWHERE}",
        "page of an incident": f"/incidents/{incident}",
    }


def compare_lists(found: Mapping[str, Mapping[int, Times]], verified: Mapping[str, float]) -> Section:
    """Return what came of it on each database, beside the fewest copies and beside the most.

    `verified` is how many seconds the whole audit took to be verified with the most.
    """
    few, many = (pick(next(iter(found.values()))) for pick in (min, max))
    rows, ratios = [], []
    for database, times in found.items():
        before = times[few]
        for name, seconds in times[many].items():
            ratio = seconds / before[name]
            rows.append(
                (database, name, f"{1000 * before[name]:.1f}", f"{1000 * seconds:.1f}", f"{ratio:.2f}")
            )
            if name not in _SCANS:
                ratios.append(ratio)
    spent = ", ".join(f"{seconds:.1f} s on {database}" for database, seconds in verified.items())
    return Section(
        title="Lists and the page",
        about=(
            f"20 items of the API, 25 of the history; medians of {_ROUNDS} looks at each in turn. A text "
            "that few have or none is looked for in all incidents, so that its time grows with them: it is "
            f"told, and not judged. So is the audit's verification: with {many:,} incidents {spent}."
        ),
        head=("database", "list", f"{few:,} incidents, ms", f"{many:,}, ms", "ratio"),
        rows=rows,
        aim=f"the time doesn't depend on how many there are: flat within {_MOST} ×",
        met=max(ratios) <= _MOST,
    )


async def time_verification(stand: Stand) -> float:
    """Return how many seconds the verification of the whole audit takes, which must find it intact."""
    began = time.perf_counter()
    found = (await stand.request("GET", "/v1/audit/verify")).json()
    assert found["intact"], found
    return time.perf_counter() - began


async def _token_behind(stand: Stand, incident: str) -> str:
    at = (await stand.request("GET", f"/v1/incidents/{incident}")).json()["created_at"]
    return base64.urlsafe_b64encode(f"{at} {incident}".encode()).decode()
