"""Errors as RFC 9457 problems. One table maps each error to its status; one handler applies it."""

import json
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, ValidationError
from starlette.exceptions import HTTPException

from api.http_server.limits import Overloaded
from api.http_server.origin_guard import CrossSiteRequest, TwoLengths, UnknownHost
from api.identity.caller import Forbidden, IssuerUnavailable, Unauthenticated
from api.identity.tokens import TokenFileUnusable
from api.rest.event_stream import TooManyStreams
from api.rest.schemas import ApprovalView
from checkpoints.acceptance.accept import NothingToAccept
from checkpoints.approvals.decisions import (
    AlreadyDecided,
    Altered,
    ApprovalGone,
    DecisionRefused,
    DecisionWhileStopped,
    DigestMismatch,
    DigestMissing,
    NotAnApprover,
    OwnProposal,
)
from checkpoints.approvals.freezes import FreezeNotFound, FreezeUnchangeable
from checkpoints.approvals.store import ApprovalNotFound
from checkpoints.audit.key_files import AuditUnusable
from checkpoints.db.errors import DatabaseUnavailable
from checkpoints.incidents.store import IncidentNotFound, NotRetryable
from tools.errors import BadInput, ClusterUnreachable, MendgateError, ToolServerError

log = logging.getLogger(__name__)
MEDIA_TYPE = "application/problem+json"
_RETRY_SECONDS = "5"
_TRY_AGAIN = frozenset({HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE})


class FieldProblem(BaseModel):
    """What is wrong with one field: of the body (`pointer`, a JSON pointer) or of the query (`parameter`)."""

    model_config = ConfigDict(frozen=True)

    detail: str
    pointer: str | None = None
    parameter: str | None = None


class Problem(BaseModel):
    """What went wrong and what to do (RFC 9457). A refused decision includes the approval's current state."""

    model_config = ConfigDict(frozen=True)

    type: str
    title: str
    status: int
    detail: str
    errors: tuple[FieldProblem, ...] | None = None
    approval: ApprovalView | None = None


class InvalidBody(MendgateError):
    """The body can't be parsed into what it must be; `errors` name the fields."""

    def __init__(self, message: str, errors: Sequence[FieldProblem]) -> None:
        self.errors = tuple(errors)
        super().__init__(message)


class ReportNotWritten(MendgateError):
    """The incident is still going on: its report isn't written yet."""


class Stopping(MendgateError):
    """The service is shutting down: send new requests elsewhere, or wait for the next start."""


class NotReady(MendgateError):
    """Something that every request needs isn't ready; the message begins with the check that failed."""


@dataclass(frozen=True)
class Kind:
    """A kind of problem: its status, the last part of its type, and its title."""

    status: int
    slug: str
    title: str

    @property
    def type(self) -> str:
        """The stable identifier for programs; titles may change."""
        return f"urn:mendgate:problem:{self.slug}"


# The first class that matches counts, so a subclass must come before its parent.
KINDS: dict[type[MendgateError], Kind] = {
    Unauthenticated: Kind(401, "unauthenticated", "No valid token"),
    TwoLengths: Kind(400, "two-lengths", "The request states its length twice"),
    UnknownHost: Kind(400, "unknown-host", "Not the name of this service"),
    CrossSiteRequest: Kind(403, "foreign-page", "Not from another site"),
    Forbidden: Kind(403, "forbidden", "The role doesn't allow this"),
    ApprovalNotFound: Kind(404, "approval-not-found", "No such approval"),
    IncidentNotFound: Kind(404, "incident-not-found", "No such incident"),
    ReportNotWritten: Kind(404, "report-not-written", "Not written yet"),
    FreezeNotFound: Kind(404, "freeze-not-found", "No such freeze"),
    FreezeUnchangeable: Kind(409, "freeze-unchangeable", "This freeze can't be changed"),
    NotRetryable: Kind(409, "not-retryable", "Only a failed incident can be retried"),
    NothingToAccept: Kind(409, "nothing-to-accept", "Nothing to accept"),
    DigestMissing: Kind(428, "digest-missing", "The digest is missing"),
    DigestMismatch: Kind(412, "digest-mismatch", "Another proposal was seen"),
    AlreadyDecided: Kind(409, "already-decided", "Already decided"),
    ApprovalGone: Kind(410, "approval-gone", "The approval is over"),
    NotAnApprover: Kind(403, "not-an-approver", "The policy names other approvers"),
    Altered: Kind(409, "altered", "Not what was sealed"),
    OwnProposal: Kind(403, "own-proposal", "Somebody else must approve it"),
    DecisionWhileStopped: Kind(423, "writes-stopped", "Writes are stopped"),
    InvalidBody: Kind(422, "invalid-input", "The input can't be used"),
    BadInput: Kind(422, "invalid-input", "The input can't be used"),
    TooManyStreams: Kind(429, "too-many-streams", "Too many live timelines"),
    Overloaded: Kind(503, "unavailable", "Try again later"),
    Stopping: Kind(503, "stopping", "The service is stopping"),
    NotReady: Kind(503, "not-ready", "Not ready for requests"),
    DatabaseUnavailable: Kind(503, "unavailable", "Try again later"),
    ClusterUnreachable: Kind(503, "cluster-unreachable", "The cluster doesn't answer"),
    ToolServerError: Kind(503, "tool-server-unreachable", "The MCP server doesn't answer"),
    AuditUnusable: Kind(503, "unavailable", "Try again later"),
    TokenFileUnusable: Kind(503, "unavailable", "Try again later"),
    IssuerUnavailable: Kind(503, "issuer-unavailable", "The OIDC issuer doesn't answer"),
    MendgateError: Kind(500, "internal", "mendgate failed"),
}


def find_kind(error: MendgateError) -> Kind:
    """Return which kind of problem an error is."""
    return next(kind for cls, kind in KINDS.items() if isinstance(error, cls))


def field_problems(error: ValidationError | RequestValidationError) -> tuple[FieldProblem, ...]:
    """Return one entry per field that couldn't be used. Values are left out: they may be secret."""
    found = [_place(one) for one in error.errors()]
    # pydantic counts what it couldn't read as missing from its list, too
    within = {loc[:end] for loc, _, _ in found for end in range(len(loc))}
    return tuple(
        _field_problem(loc, message)
        for loc, kind, message in found
        if kind != "too_short" or loc not in within
    )


def install_handlers(app: FastAPI) -> None:
    """Make every error of the app a problem document."""
    app.add_exception_handler(MendgateError, _answer_mendgate_error)
    app.add_exception_handler(RequestValidationError, _answer_invalid_request)
    app.add_exception_handler(HTTPException, _answer_http_exception)
    app.add_exception_handler(Exception, _answer_unexpected)


def answer_error(error: MendgateError) -> JSONResponse:
    """Return the problem response for an error, and log it if the service is at fault."""
    kind = find_kind(error)
    if kind.status == HTTPStatus.SERVICE_UNAVAILABLE:
        log.warning("%s", error)  # without a traceback: under load there may be many of these at once
    elif kind.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        log.error("%s", error, exc_info=error)
    problem = Problem(
        type=kind.type,
        title=kind.title,
        status=kind.status,
        detail=say_detail(error),
        errors=error.errors if isinstance(error, InvalidBody) else None,
        approval=ApprovalView.of(error.approval) if isinstance(error, DecisionRefused) else None,
    )
    return _answer(problem, _headers(error))


def say_detail(error: MendgateError) -> str:
    """Return what happened, in words that are safe to show to somebody who isn't signed in."""
    if isinstance(error, TokenFileUnusable):
        return (
            "the token file can't be read, so every token is refused: see the service's log for what to fix"
        )
    return str(error)


def _headers(error: MendgateError) -> dict[str, str]:
    if isinstance(error, Unauthenticated):
        reason = ', error="invalid_token"' if error.token_given else ""
        return {"WWW-Authenticate": f'Bearer realm="mendgate"{reason}'}
    if isinstance(error, TwoLengths):
        return {"Connection": "close"}  # what follows could be read as another request
    if isinstance(error, DecisionRefused):
        return {"ETag": f'"{error.approval.digest}"'}
    if find_kind(error).status in _TRY_AGAIN:
        return {"Retry-After": _RETRY_SECONDS}
    return {}


async def _answer_mendgate_error(_request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, MendgateError)
    return answer_error(error)


async def _answer_invalid_request(_request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)
    errors = field_problems(error)
    kind = KINDS[InvalidBody]
    detail = "; ".join(f"{one.pointer or one.parameter or 'the body'}: {one.detail}" for one in errors)
    return _answer(
        Problem(type=kind.type, title=kind.title, status=kind.status, detail=detail, errors=errors)
    )


async def _answer_http_exception(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)
    if error.status_code == HTTPStatus.BAD_REQUEST:  # FastAPI's word for a body that isn't even text
        return await _answer_mendgate_error(request, InvalidBody(f"{error.detail}; nothing was done", []))
    title = HTTPStatus(error.status_code).phrase
    problem = Problem(type="about:blank", title=title, status=error.status_code, detail=str(error.detail))
    return _answer(problem, dict(error.headers or {}))


async def _answer_unexpected(_request: Request, _error: Exception) -> JSONResponse:
    kind = KINDS[MendgateError]
    detail = "an unexpected error in mendgate; see the service's log for the traceback"
    return _answer(Problem(type=kind.type, title=kind.title, status=kind.status, detail=detail))


def _answer(problem: Problem, headers: dict[str, str] | None = None) -> JSONResponse:
    content: Any = json.loads(problem.model_dump_json(exclude_none=True, exclude={"approval"}))
    if problem.approval:
        content["approval"] = problem.approval.model_dump(mode="json")
    return JSONResponse(content, problem.status, headers, MEDIA_TYPE)


def _place(found: Any) -> tuple[tuple[str | int, ...], str, str]:
    """Return where something is wrong, of which type it is, and what is wrong."""
    if found["type"] == "json_invalid":  # FastAPI's place for that is a number of characters
        return ("body",), found["type"], f"not JSON: {found['ctx']['error']}"
    return tuple(found["loc"]), found["type"], found["msg"]


def _field_problem(loc: tuple[str | int, ...], message: str) -> FieldProblem:
    if loc and loc[0] in {"query", "header", "path"}:
        return FieldProblem(detail=message, parameter=str(loc[-1]))
    steps = loc[1:] if loc and loc[0] == "body" else loc
    escaped = (str(step).replace("~", "~0").replace("/", "~1") for step in steps)
    return FieldProblem(detail=message, pointer="".join(f"/{step}" for step in escaped))
