"""The kill switch and the freezes, and what is left of the policy's writes."""

from datetime import UTC, datetime
from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Form
from starlette.responses import RedirectResponse, Response

from api import control_routes
from api.page.answers import PageRoute, show
from api.page.refusals import fill
from api.page.visitors import Looking, Ruling
from api.schemas import FreezeBody, KillSwitchBody
from tools.errors import BadInput

router = APIRouter(route_class=PageRoute, include_in_schema=False)
Text = Annotated[str, Form()]
_SWITCH = {"on": True, "off": False}


@router.get("/controls")
async def read_controls(visitor: Looking) -> Response:
    """Show what stops writes now or later."""
    stops = visitor.door.ledger.stops
    return show(
        visitor, "controls.html", kill_switch=await stops.kill_switch(), freezes=await stops.freezes(),
        standing=await stops.standing(),
    )  # fmt: skip


@router.post("/controls/kill-switch")
async def set_kill_switch(visitor: Ruling, engaged: Text = "", reason: Text = "") -> Response:
    """Stop every write, or allow them again."""
    body = fill(KillSwitchBody, engaged=_SWITCH.get(engaged), reason=reason)
    await control_routes.set_kill_switch(visitor.door, visitor.caller, body)
    return RedirectResponse("/controls", HTTPStatus.SEE_OTHER)


@router.post("/controls/freezes")
async def add_freeze(
    visitor: Ruling, starts_at: Text = "", ends_at: Text = "", reason: Text = ""
) -> Response:
    """Add a freeze; its times are in UTC, as the form says."""
    body = fill(FreezeBody, starts_at=_read_utc(starts_at), ends_at=_read_utc(ends_at), reason=reason)
    await control_routes.add_freeze(visitor.door, visitor.caller, body)
    return RedirectResponse("/controls", HTTPStatus.SEE_OTHER)


def _read_utc(moment: str) -> datetime:
    try:
        return datetime.fromisoformat(moment).replace(tzinfo=UTC)
    except ValueError as error:
        raise BadInput("write both times as in 2026-12-24T08:00, in UTC") from error
