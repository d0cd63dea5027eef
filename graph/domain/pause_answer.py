"""What a person may answer to a pause, in every form that the known clients send.

- agent-chat-ui and LangChain's human-in-the-loop middleware (`HITLResponse`): `{"decisions": [one]}`, where
  one is `{"type": "approve"}`, `{"type": "edit", "edited_action": {"name", "args"}}` or
  `{"type": "reject", "message"}`.
- agent-inbox (`HumanResponse[]`): a list of one `{"type", "args"}`: `accept` and `ignore` with null,
  `response` with a text, `edit` with `{"action", "args"}`.
- LangGraph Studio's own field, where a person types: `approve`, `reject`, or `reject: the reason`.

Both clients edit arguments in text fields, and send as text what was edited: a patch comes as its JSON.
Sources: LangChain's `langchain.agents.middleware.human_in_the_loop`; the README of langchain-ai/agent-inbox.

Only LangGraph Studio's dev mode takes answers at all (`graph.ports.PauseAnswerHandler`); the service ignores
them.
"""

from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, model_validator
from pydantic_core import from_json

_WORDS = {
    "approve": "approve", "approved": "approve", "accept": "approve", "yes": "approve",
    "reject": "reject", "rejected": "reject", "response": "reject", "respond": "reject", "no": "reject",
    "edit": "edit", "ignore": "wait", "wait": "wait",
}  # fmt: skip
_FORMS = 'answer `approve`, `reject: <reason>`, or {"decisions": [{"type": "approve"}]}'


class PauseAnswer(BaseModel):
    """One answer to one pause. `arguments` are those of an edit, None otherwise."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Literal["approve", "reject", "edit", "wait"]
    reason: str = ""
    arguments: dict[str, Any] | None = None

    @model_validator(mode="before")
    @classmethod
    def _read(cls, given: Any) -> Any:
        return given if isinstance(given, dict) and "kind" in given else _normalise(given)

    @model_validator(mode="after")
    def _require_arguments(self) -> Self:
        if (self.kind == "edit") != (self.arguments is not None):
            raise ValueError("an edit needs the edited arguments, and nothing else has any")
        return self


def _normalise(given: Any) -> dict[str, Any]:
    if isinstance(given, dict) and "decisions" in given:
        given = given["decisions"]
    if isinstance(given, list):
        if len(given) != 1:
            raise ValueError(f"one proposal waits, and {len(given)} answers came: {_FORMS}")
        given = given[0]
    if isinstance(given, str):
        word, _, reason = given.partition(":")
        given = {"type": word, "message": reason.strip()}
    if not isinstance(given, dict):
        raise ValueError(f"this is no answer: {_FORMS}")  # noqa: TRY004 -- pydantic reports ValueErrors
    if "type" not in given:
        raise ValueError(f"this is no answer, it has no `type`: {_FORMS}")
    kind = _WORDS.get(str(given["type"]).strip().lower())
    if kind is None:
        raise ValueError(f"{str(given.get('type'))[:40]!r} is no answer: {_FORMS}")
    answer: dict[str, Any] = {"kind": kind, "reason": _reason(given)}
    return answer | {"arguments": _arguments(given)} if kind == "edit" else answer


def _reason(given: dict[str, Any]) -> str:
    said = given.get("message") or given.get("args")
    return said.strip()[:2_000] if isinstance(said, str) else ""


def _arguments(given: dict[str, Any]) -> Any:
    """Return the edited arguments of the one call; its tool can't be edited."""
    action = given.get("edited_action") or given.get("args")
    if not isinstance(action, dict):
        return None
    name = action.get("name") or action.get("action") or "kubectl_patch"
    if name != "kubectl_patch":
        raise ValueError(f"the proposal is a kubectl_patch; an edit can't make it a {str(name)[:40]}")
    arguments = action.get("args", action if "patchData" in action else None)
    return _read_patch(arguments) if isinstance(arguments, dict) else arguments


def _read_patch(arguments: dict[str, Any]) -> dict[str, Any]:
    """Return the arguments with the patch as a document, where a client has sent it as text."""
    patch = arguments.get("patchData")
    if not isinstance(patch, str):
        return arguments
    try:
        return arguments | {"patchData": from_json(patch, allow_inf_nan=False)}
    except ValueError as error:
        raise ValueError(f"the edited patchData isn't JSON: {error}") from error
