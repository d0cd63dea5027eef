"""The kill switch, the freezes, the policy in force, and the caller's own identity."""

from typing import Annotated

from fastapi import APIRouter, Body, Query

from api.http_server.strict_json import StrictRoute
from api.identity.caller import Caller
from api.rest.auth import Admin, Anyone, Viewer
from api.rest.dependencies import Dependencies
from api.rest.openapi import answers
from api.rest.openapi_examples import (
    CALLER,
    END_FREEZE_BODY,
    FREEZE,
    FREEZE_BODY,
    FREEZES,
    KILL_SWITCH,
    KILL_SWITCH_BODY,
    POLICY,
)
from api.rest.schemas import EndFreezeBody, FreezeBody, FreezeList, KillSwitchBody
from checkpoints.approvals.freezes import Freeze
from checkpoints.approvals.write_stops import KillSwitch, WriteStanding

router = APIRouter(route_class=StrictRoute, tags=["controls"])
WindowBody = Annotated[FreezeBody, Body(openapi_examples={"holidays": {"value": FREEZE_BODY}})]


@router.get(
    "/v1/controls/kill-switch",
    responses=answers(200, "Its current state.", KILL_SWITCH, refusals=(401, 403, 503)),
)
async def read_kill_switch(dependencies: Dependencies, _caller: Viewer) -> KillSwitch:
    """Read whether all writes are stopped, and who stopped them."""
    return await dependencies.ledger.stops.kill_switch()


@router.put(
    "/v1/controls/kill-switch", responses=answers(200, "Set.", KILL_SWITCH, refusals=(401, 403, 422, 503))
)
async def set_kill_switch(
    dependencies: Dependencies,
    caller: Admin,
    body: Annotated[KillSwitchBody, Body(openapi_examples={"stop": {"value": KILL_SWITCH_BODY}})],
) -> KillSwitch:
    """Stop every write to the cluster, or allow them again. Diagnosis goes on either way."""
    return await dependencies.ledger.stops.set_kill_switch(
        engaged=body.engaged, by=caller.name, reason=body.reason
    )


@router.get("/v1/freezes", responses=answers(200, "Soonest first.", FREEZES, refusals=(401, 403, 503)))
async def list_freezes(dependencies: Dependencies, _caller: Viewer) -> FreezeList:
    """List the change freezes that hold now or later."""
    return FreezeList(items=tuple(await dependencies.ledger.freezes.list()))


@router.post(
    "/v1/freezes", status_code=201, responses=answers(201, "Added.", FREEZE, refusals=(401, 403, 422, 503))
)
async def add_freeze(
    dependencies: Dependencies,
    caller: Admin,
    body: WindowBody,
) -> Freeze:
    """Add a window in which nothing is written. Proposals can still be rejected during a freeze."""
    return await dependencies.ledger.freezes.add(body.window, by=caller.name)


@router.put(
    "/v1/freezes/{freeze_id}",
    responses=answers(200, "Changed.", FREEZE, refusals=(401, 403, 404, 409, 422, 503)),
)
async def change_freeze(
    freeze_id: str, dependencies: Dependencies, caller: Admin, body: WindowBody
) -> Freeze:
    """Give a freeze another window, other namespaces or another reason, until it has ended."""
    return await dependencies.ledger.freezes.change(freeze_id, body.window, by=caller.name)


@router.post(
    "/v1/freezes/{freeze_id}/end",
    responses=answers(200, "Ended.", FREEZE, refusals=(401, 403, 404, 409, 422, 503)),
)
async def end_freeze(
    freeze_id: str,
    dependencies: Dependencies,
    caller: Admin,
    body: Annotated[EndFreezeBody, Body(openapi_examples={"early": {"value": END_FREEZE_BODY}})],
) -> Freeze:
    """End a freeze at once, or cancel one that hasn't begun. The audit records who did it, and why."""
    return await dependencies.ledger.freezes.end(freeze_id, by=caller.name, reason=body.reason)


@router.get("/v1/policy", responses=answers(200, "In force.", POLICY, refusals=(401, 403, 422, 503)))
async def read_policy(
    dependencies: Dependencies,
    _caller: Viewer,
    namespace: Annotated[str | None, Query(description="Include freezes of this namespace.")] = None,
) -> WriteStanding:
    """Read which policy is in force, and whether anything could be written now."""
    return await dependencies.ledger.stops.standing(namespace)


@router.get(
    "/v1/me", tags=["service"], responses=answers(200, "Your name and role.", CALLER, refusals=(401, 503))
)
async def read_me(caller: Anyone) -> Caller:
    """Read the name and role of your token."""
    return caller
