"""The kill switch, the freezes, and who one is."""

from typing import Annotated

from fastapi import APIRouter, Body

from api.auth import Admin, Anyone, Caller, Viewer
from api.door import DoorIn
from api.examples import CALLER, FREEZE, FREEZE_BODY, FREEZES, KILL_SWITCH, KILL_SWITCH_BODY, POLICY
from api.openapi import answers
from api.schemas import FreezeBody, FreezeList, KillSwitchBody
from api.strict_json import StrictRoute
from checkpoints.stops import Freeze, KillSwitch, WriteStanding

router = APIRouter(route_class=StrictRoute, tags=["controls"])


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
    return FreezeList(items=tuple(await door.ledger.stops.freezes()))


@router.post(
    "/v1/freezes", status_code=201, responses=answers(201, "Added.", FREEZE, refusals=(401, 403, 422, 503))
)
async def add_freeze(
    door: DoorIn,
    caller: Admin,
    body: Annotated[FreezeBody, Body(openapi_examples={"holidays": {"value": FREEZE_BODY}})],
) -> Freeze:
    """Add a window in which nothing is written. Proposals can still be rejected in it."""
    return await door.ledger.stops.add_freeze(
        starts_at=body.starts_at, ends_at=body.ends_at, reason=body.reason, by=caller.name
    )


@router.get("/v1/policy", responses=answers(200, "In force.", POLICY, refusals=(401, 403, 503)))
async def read_policy(door: DoorIn, _caller: Viewer) -> WriteStanding:
    """Read which policy is in force, and whether anything could be written now."""
    return await door.ledger.stops.standing()


@router.get("/v1/me", tags=["service"], responses=answers(200, "You.", CALLER, refusals=(401, 503)))
async def read_me(caller: Anyone) -> Caller:
    """Read who the token says you are."""
    return caller
