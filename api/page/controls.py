"""The kill switch, the freezes, and how many writes the policy still allows."""

from dataclasses import dataclass
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Form
from starlette.responses import RedirectResponse, Response

from api.page.auth import PageSession, RequireAdmin, RequireViewer
from api.page.errors import Refusal, explain, fill
from api.page.rendering import PageRoute, show
from api.rest import controls
from api.rest.schemas import EndFreezeBody, FreezeBody, KillSwitchBody
from checkpoints.approvals.freezes import Freeze
from tools.errors import BadInput, MendgateError

router = APIRouter(route_class=PageRoute, include_in_schema=False)
Text = Annotated[str, Form()]
_SWITCH = {"on": True, "off": False}


@dataclass(frozen=True)
class FreezeForm:
    """The fields of a freeze form; `freeze_id` is empty for a new freeze."""

    freeze_id: str = ""
    starts_at: str = ""
    ends_at: str = ""
    namespaces: str = ""
    reason: str = ""

    def read(self) -> FreezeBody:
        """Return the API's request body. Raises `BadInput`."""
        return fill(
            FreezeBody, starts_at=_read_utc(self.starts_at), ends_at=_read_utc(self.ends_at),
            namespaces=self.namespaces.replace(",", " ").split(), reason=self.reason,
        )  # fmt: skip


@router.get("/controls")
async def read_controls(page_session: RequireViewer) -> Response:
    """Show what stops writes, now or later."""
    return await _show_controls(page_session)


@router.post("/controls/kill-switch")
async def set_kill_switch(page_session: RequireAdmin, engaged: Text = "", reason: Text = "") -> Response:
    """Stop every write, or allow them again."""
    body = fill(KillSwitchBody, engaged=_SWITCH.get(engaged), reason=reason)
    await controls.set_kill_switch(page_session.dependencies, page_session.caller, body)
    return RedirectResponse("/controls", HTTPStatus.SEE_OTHER)


@router.post("/controls/freezes")
async def add_freeze(
    page_session: RequireAdmin,
    starts_at: Text = "",
    ends_at: Text = "",
    namespaces: Text = "",
    reason: Text = "",
) -> Response:
    """Add a freeze; its times are in UTC, as the form says."""
    form = FreezeForm("", starts_at, ends_at, namespaces, reason)
    try:
        await controls.add_freeze(page_session.dependencies, page_session.caller, form.read())
    except MendgateError as error:
        return await _show_controls(page_session, form, explain(error))
    return RedirectResponse("/controls", HTTPStatus.SEE_OTHER)


@router.post("/controls/freezes/{freeze_id}")
async def change_freeze(  # noqa: PLR0913, PLR0917 -- the fields of the form
    freeze_id: str,
    page_session: RequireAdmin,
    starts_at: Text = "",
    ends_at: Text = "",
    namespaces: Text = "",
    reason: Text = "",
) -> Response:
    """Give a freeze another window."""
    form = FreezeForm(freeze_id, starts_at, ends_at, namespaces, reason)
    try:
        await controls.change_freeze(freeze_id, page_session.dependencies, page_session.caller, form.read())
    except MendgateError as error:
        return await _show_controls(page_session, form, explain(error))
    return RedirectResponse("/controls", HTTPStatus.SEE_OTHER)


@router.post("/controls/freezes/{freeze_id}/end")
async def end_freeze(freeze_id: str, page_session: RequireAdmin, reason: Text = "") -> Response:
    """End a freeze at once, or cancel it before it begins."""
    try:
        body = fill(EndFreezeBody, reason=reason)
        await controls.end_freeze(freeze_id, page_session.dependencies, page_session.caller, body)
    except MendgateError as error:
        return await _show_controls(page_session, refusal=explain(error))
    return RedirectResponse("/controls", HTTPStatus.SEE_OTHER)


async def _show_controls(
    page_session: PageSession, form: FreezeForm | None = None, refusal: Refusal | None = None
) -> Response:
    """Show the stops; a refused form keeps its fields and shows the reason."""
    ledger = page_session.dependencies.ledger
    freezes = await ledger.freezes.list()
    return show(
        page_session, "controls.html", refusal.status if refusal else HTTPStatus.OK,
        kill_switch=await ledger.stops.kill_switch(), standing=await ledger.stops.standing(), freezes=freezes,
        forms={freeze.id: _form_of(freeze) for freeze in freezes} | {"": FreezeForm()},
        refused=form, refusal=refusal,
    )  # fmt: skip


def _form_of(freeze: Freeze) -> FreezeForm:
    starts_at, ends_at = (f"{at.astimezone(UTC):%Y-%m-%dT%H:%M}" for at in (freeze.starts_at, freeze.ends_at))
    return FreezeForm(freeze.id, starts_at, ends_at, " ".join(freeze.namespaces), freeze.reason)


def _read_utc(moment: str) -> datetime:
    try:
        return datetime.fromisoformat(moment).replace(tzinfo=UTC)
    except ValueError as error:
        raise BadInput("write both times as in 2026-12-24T08:00, in UTC") from error
