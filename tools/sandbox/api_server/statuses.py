"""The API server's refusals, worded as the real one words them: clients and people read these texts.

The wording was taken from a real API server; the contract tests compare both.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from tools.errors import MendgateError
from tools.kubernetes.resource_types import Kind


@dataclass(frozen=True)
class FieldProblem:
    """One invalid field: its path, the machine's word for what's wrong, and the text."""

    field: str
    reason: str
    message: str

    @classmethod
    def invalid(cls, field: str, value: Any, why: str) -> "FieldProblem":
        """Return the problem of a value that is there but not allowed."""
        shown = f'"{value}"' if isinstance(value, str) else value
        return cls(field, "FieldValueInvalid", f"Invalid value: {shown}: {why}")

    @classmethod
    def required(cls, field: str, why: str = "") -> "FieldProblem":
        """Return the problem of a missing value."""
        return cls(field, "FieldValueRequired", "Required value" + (f": {why}" if why else ""))

    @classmethod
    def forbidden(cls, field: str, why: str) -> "FieldProblem":
        """Return the problem of a value that may not stand beside another one."""
        return cls(field, "FieldValueForbidden", f"Forbidden: {why}")


@dataclass(frozen=True)
class Action:
    """What a user wants to do: a verb on a kind, or on one object (`name`). `namespace` None means all."""

    verb: str
    kind: Kind
    namespace: str | None
    name: str | None
    subresource: str = ""


class Refusal(MendgateError):
    """What the sandbox's API server answers instead of an object: a `Status`, and its HTTP code."""

    def __init__(
        self, code: int, message: str, *, reason: str = "", details: dict[str, Any] | None = None
    ) -> None:
        self.code = code
        self.reason = reason
        self.details = details
        self.message = message
        super().__init__(message)

    def body(self) -> dict[str, Any]:
        """Return the Status object as JSON."""
        status: dict[str, Any] = {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure"}
        status["message"] = self.message
        if self.reason:
            status["reason"] = self.reason
        if self.details is not None:
            status["details"] = self.details
        return {**status, "code": self.code}


def qualified(kind: Kind) -> str:
    """Return the resource as messages name it, such as `deployments.apps`."""
    return f"{kind.plural}.{kind.group}" if kind.group else kind.plural


def _details(kind: Kind, name: str | None) -> dict[str, Any]:
    named = {"name": name} if name else {}
    group = {"group": kind.group} if kind.group else {}
    return {**named, **group, "kind": kind.plural}


def not_found(kind: Kind, name: str) -> Refusal:
    """404: no such object."""
    return Refusal(
        404, f'{qualified(kind)} "{name}" not found', reason="NotFound", details=_details(kind, name)
    )


def no_such_path() -> Refusal:
    """404: no such resource."""
    return Refusal(404, "the server could not find the requested resource", reason="NotFound", details={})


def unauthorized() -> Refusal:
    """401: no token, or one that isn't known."""
    return Refusal(401, "Unauthorized", reason="Unauthorized")


def forbidden(user: str, action: Action) -> Refusal:
    """403: the user's role doesn't hold the right."""
    kind = action.kind
    subject = qualified(kind) + (f' "{action.name}"' if action.name else "")
    where = f'in the namespace "{action.namespace}"' if action.namespace else "at the cluster scope"
    resource = f"{kind.plural}/{action.subresource}" if action.subresource else kind.plural
    return Refusal(
        403,
        f'{subject} is forbidden: User "{user}" cannot {action.verb} resource "{resource}"'
        f' in API group "{kind.group}" {where}',
        reason="Forbidden",
        details=_details(kind, action.name),
    )


def conflict(kind: Kind, name: str) -> Refusal:
    """409: the object moved since the resourceVersion that the request carries."""
    return Refusal(
        409,
        f'Operation cannot be fulfilled on {qualified(kind)} "{name}": the object has been modified;'
        " please apply your changes to the latest version and try again",
        reason="Conflict",
        details=_details(kind, name),
    )


def bad_request(message: str) -> Refusal:
    """400: the request can't be read."""
    return Refusal(400, message, reason="BadRequest")


def unprocessable() -> Refusal:
    """422: a JSON patch whose operations don't apply (the real server doesn't say which either)."""
    return Refusal(
        422, "the server rejected our request due to an error in our request", reason="Invalid", details={}
    )


def unsupported_media_type() -> Refusal:
    """415: a patch type that doesn't exist."""
    return Refusal(415, "415: Unsupported Media Type", reason="UnsupportedMediaType", details={})


def method_not_allowed() -> Refusal:
    """405: what the sandbox doesn't do."""
    return Refusal(
        405,
        "the server does not allow this method on the requested resource",
        reason="MethodNotAllowed",
        details={},
    )


def undecodable(patch: str, why: str) -> Refusal:
    """422: the patched object can't be decoded into its kind."""
    problem = FieldProblem("patch", "FieldValueInvalid", f'Invalid value: "{patch[:200]}": {why}')
    return Refusal(
        422,
        f' "" is invalid: patch: {problem.message}',
        reason="Invalid",
        details={"causes": [_cause(problem)]},
    )


def invalid(kind_word: str, group: str, name: str, problems: Sequence[FieldProblem]) -> Refusal:
    """422: the object breaks its kind's rules; every broken field is named."""
    texts = list(dict.fromkeys(f"{problem.field}: {problem.message}" for problem in problems))
    listed = texts[0] if len(texts) == 1 else f"[{', '.join(texts)}]"
    qualified_kind = f"{kind_word}.{group}" if group else kind_word
    grouped = {"group": group} if group else {}
    return Refusal(
        422,
        f'{qualified_kind} "{name}" is invalid: {listed}',
        reason="Invalid",
        details={"name": name, **grouped, "kind": kind_word, "causes": [_cause(one) for one in problems]},
    )


def _cause(problem: FieldProblem) -> dict[str, str]:
    return {"reason": problem.reason, "message": problem.message, "field": problem.field}
