"""Errors as people read them: what happened, what it means for the cluster, what to do now."""

import logging
from dataclasses import dataclass
from typing import TypeVar

from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ValidationError
from starlette.exceptions import HTTPException

from api.identity.caller import Forbidden
from api.rest.problems import InvalidBody, field_problems, find_kind, say_detail
from checkpoints.approvals.decisions import (
    AlreadyDecided,
    ApprovalGone,
    DecisionWhileStopped,
    DigestMismatch,
    NotAnApprover,
    OwnProposal,
)
from tools.errors import BadInput, MendgateError

log = logging.getLogger(__name__)
Form = TypeVar("Form", bound=BaseModel)
_SERVER_FAILED = 500
_ADVICE: dict[type[MendgateError], tuple[str, str]] = {
    AlreadyDecided: (
        "Already decided",
        "What you sent was not recorded. Below is the proposal's current state.",
    ),
    ApprovalGone: (
        "This proposal is closed",
        "Nothing was recorded, and nothing will be written because of this proposal.",
    ),
    DigestMismatch: (
        "The proposal has changed since you read it",
        "Nothing was recorded. Read the current proposal, then decide.",
    ),
    DecisionWhileStopped: (
        "Writes are stopped",
        "Nothing was recorded. You can still reject; approving works again once the stop has ended.",
    ),
    NotAnApprover: (
        "Others must approve this",
        "Nothing was recorded. Ask one of the approvers that the policy names.",
    ),
    OwnProposal: ("Somebody else must approve this", "Nothing was recorded. Ask another approver."),
    Forbidden: (
        "Your role doesn't allow this",
        "Nothing was done. Ask an admin for a token with another role.",
    ),
    InvalidBody: ("Invalid input", "Nothing was recorded. Correct the form, and send it again."),
    BadInput: ("Invalid input", "Nothing was recorded. Correct the form, and send it again."),
}


class SessionExpired(MendgateError):
    """There is no session, or it has expired: sign in."""


class ForgedForm(MendgateError):
    """The form's CSRF token doesn't match the session."""


@dataclass(frozen=True)
class Refusal:
    """Why something wasn't done: the HTTP status, a headline, the facts, and what to do now."""

    status: int
    headline: str
    detail: str
    advice: str = ""


def explain(error: Exception) -> Refusal:
    """Return a refusal for an error of mendgate, of a form's fields, or of the path."""
    match error:
        case ForgedForm():
            return Refusal(
                403,
                "This form is too old",
                str(error),
                "Nothing was done. Reload the page, and send the form again.",
            )
        case RequestValidationError():
            return _explain_own(InvalidBody(_name_fields(error), field_problems(error)))
        case HTTPException():
            return Refusal(error.status_code, "This didn't work", str(error.detail))
        case MendgateError():
            return _explain_own(error)
    raise error


def _explain_own(error: MendgateError) -> Refusal:
    kind = find_kind(error)
    if kind.status >= _SERVER_FAILED:
        log.error("%s", error, exc_info=error)
    headline, advice = next(
        (words for cls, words in _ADVICE.items() if isinstance(error, cls)), (kind.title, "")
    )
    return Refusal(kind.status, headline, say_detail(error), advice)


def fill(form: type[Form], **fields: object) -> Form:
    """Return the API's request body made from a form's fields. Raises `InvalidBody`."""
    try:
        return form.model_validate(fields)
    except ValidationError as error:
        raise InvalidBody(_name_fields(error), field_problems(error)) from error


def _name_fields(error: RequestValidationError | ValidationError) -> str:
    return "; ".join(
        f"{one['loc'][-1] if one['loc'] else 'the form'}: {one['msg']}" for one in error.errors()
    )
