"""The kill switch, the freezes, and who one is."""

from typing import Annotated

from fastapi import APIRouter, Body, Query

from api.auth import Admin, Anyone, Caller, Viewer
from api.door import DoorIn
from api.examples import (
    CALLER,
    END_FREEZE_BODY,
    FREEZE,
    FREEZE_BODY,
    FREEZES,
    KILL_SWITCH,
    KILL_SWITCH_BODY,
    POLICY,
)
from api.openapi import answers
from api.schemas import EndFreezeBody, FreezeBody, FreezeList, KillSwitchBody
from api.strict_json import StrictRoute
from checkpoints.freezes import Freeze
from checkpoints.stops import KillSwitch, WriteStanding

router = APIRouter(route_class=StrictRoute, tags=["controls"])
WindowBody = Annotated[FreezeBody, Body(openapi_examples={"holidays": {"value": FREEZE_BODY}})]


@router.get(
    "/v1/controls/kill-switch", responses=answers(200, "As it stands.", KILL_SWITCH, refusals=(401, 403, 503))
)
async def read_kill_switch(door: DoorIn, _caller: Viewer) -> KillSwitch:
    """Read whether all writes are stopped, and by whom."""
    return await door.ledger.stops.kill_switch()


@router.put(
    "/v1/controls/kill-switch", responses=answers(200, "Set.", KILL_SWITCH, refusals=(401, 403, 422, 503))
)
async def set_kill_switch(
    door: DoorIn,
    caller: Admin,
    body: Annotated[KillSwitchBody, Body(openapi_examples={"stop": {"value": KILL_SWITCH_BODY}})],
) -> KillSwitch:
    """Stop every write to the cluster, or allow them again. Diagnosis goes on either way."""
    return await door.ledger.stops.set_kill_switch(engaged=body.engaged, by=caller.name, reason=body.reason)


@router.get("/v1/freezes", responses=answers(200, "Soonest first.", FREEZES, refusals=(401, 403, 503)))
async def list_freezes(door: DoorIn, _caller: Viewer) -> FreezeList:
    """List the change freezes that hold now or later."""
    return FreezeList(items=tuple(await door.ledger.freezes.list()))


@router.post(
    "/v1/freezes", status_code=201, responses=answers(201, "Added.", FREEZE, refusals=(401, 403, 422, 503))
)
async def add_freeze(
    door: DoorIn,
    caller: Admin,
    body: WindowBody,
) -> Freeze:
    """Add a window in which nothing is written. Proposals can still be rejected in it."""
    return await door.ledger.freezes.add(body.window, by=caller.name)


@router.put(
    "/v1/freezes/{freeze_id}",
    responses=answers(200, "Changed.", FREEZE, refusals=(401, 403, 404, 409, 422, 503)),
)
async def change_freeze(freeze_id: str, door: DoorIn, caller: Admin, body: WindowBody) -> Freeze:
    """Give a freeze another window, other namespaces or another reason, until it has ended."""
    return await door.ledger.freezes.change(freeze_id, body.window, by=caller.name)


@router.post(
    "/v1/freezes/{freeze_id}/end",
    responses=answers(200, "Ended.", FREEZE, refusals=(401, 403, 404, 409, 422, 503)),
)
async def end_freeze(
    freeze_id: str,
    door: DoorIn,
    caller: Admin,
    body: Annotated[EndFreezeBody, Body(openapi_examples={"early": {"value": END_FREEZE_BODY}})],
) -> Freeze:
    """End a freeze at once, or call one off that hasn't begun. The audit keeps who did it, and why."""
    return await door.ledger.freezes.end(freeze_id, by=caller.name, reason=body.reason)


@router.get("/v1/policy", responses=answers(200, "In force.", POLICY, refusals=(401, 403, 422, 503)))
async def read_policy(
    door: DoorIn,
    _caller: Viewer,
    namespace: Annotated[str | None, Query(description="Freezes of this namespace count, too.")] = None,
) -> WriteStanding:
    """Read which policy is in force, and whether anything could be written now."""
    return await door.ledger.stops.standing(namespace)


@router.get("/v1/me", tags=["service"], responses=answers(200, "You.", CALLER, refusals=(401, 503)))
async def read_me(caller: Anyone) -> Caller:
    """Read who the token says you are."""
    return caller
