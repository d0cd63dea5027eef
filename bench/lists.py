"""What people look at, the API's lists and the page, beside few incidents and beside many."""

import base64
import time
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


async def time_lists(stand: Stand, middle: int) -> Times:
    """Return the median seconds of each look; `middle` is the copy in the middle. Sign in first."""
    incident = name_copy(middle)
    token = await _token_behind(stand, incident)
    looks = {
        "`/v1/incidents`, first page": "/v1/incidents?limit=50",
        "`/v1/incidents`, in the middle": f"/v1/incidents?limit=50&continue={token}",
        "`/v1/incidents?status=resolved`": "/v1/incidents?status=resolved&limit=50",
        "`/v1/approvals?status=pending`": "/v1/approvals?status=pending&limit=50",
        "`/v1/approvals?status=unknown` (none)": "/v1/approvals?status=unknown&limit=50",
        "`/v1/audit`": "/v1/audit?limit=50",
        "`/v1/audit?incident=…`": f"/v1/audit?incident={incident}",
        "page `/`": "/",
        "page `/history`": "/history",
        "page `/history?about=copied` (nearly all have it)": "/history?about=copied",
        _FEW: "/history?about=web",
        _NONE: f"/history?about={_NOWHERE}",
        "page of an incident": f"/incidents/{incident}",
    }
    taken: dict[str, list[float]] = {name: [] for name in looks}
    for _ in range(_ROUNDS):
        for name, path in looks.items():
            began = time.perf_counter()
            await stand.request("GET", path)
            taken[name].append(time.perf_counter() - began)
    return {name: median(times) for name, times in taken.items()}


def compare_lists(
    few: int, many: int, found: Mapping[str, tuple[Times, Times]], verified: Mapping[str, float]
) -> Section:
    """Return what came of it, by database: the times with few incidents, and with many.

    `verified` is how many seconds the whole audit took to be verified with many.
    """
    rows, ratios = [], []
    for database, (before, after) in found.items():
        for name, seconds in after.items():
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
            f"50 items of the API, 25 of the history; medians of {_ROUNDS} looks at each in turn. A text "
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
