"""The one document that every answer of the model ends up as, whatever form it came in."""

from collections.abc import Sequence
from typing import Annotated, Any, Literal, Self, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator
from pydantic.alias_generators import to_camel

from graph.domain.diagnosis import Confidence
from graph.llm.lenient_parsing import Unusable, load
from tools.kubernetes.patch import PatchType
from tools.llm.client import Function

PROPOSE, HAND_OVER, NOTHING_WRONG = "propose_patch", "hand_over", "nothing_wrong"
# A patch that is called outright is a proposal: it goes the way of all proposals.
_PATCHING = frozenset({PROPOSE, "kubectl_patch"})
DECISIONS = _PATCHING | {HAND_OVER, NOTHING_WRONG}
MOST_CALLS = 8
_MOST_TEXT = 4_000
Model = TypeVar("Model", bound=BaseModel)


def _lowered(value: object) -> object:
    return value.strip().lower() if isinstance(value, str) else value


def _parsed(value: object) -> object:
    return load(value) if isinstance(value, str) else value


Text = Annotated[str, Field(max_length=_MOST_TEXT)]
Reason = Annotated[Text, Field(min_length=1, description="why this step, in a sentence or two")]
Lines = Annotated[tuple[Text, ...], Field(max_length=20)]
_CONFIG = ConfigDict(
    frozen=True, extra="forbid", alias_generator=to_camel, validate_by_name=True, str_strip_whitespace=True
)


class AskedCall(BaseModel):
    """One reading tool and its arguments."""

    model_config = _CONFIG

    tool: str
    arguments: Annotated[dict[str, Any], BeforeValidator(_parsed)] = {}


class AskedPatch(BaseModel):
    """The arguments of `kubectl_patch`."""

    model_config = _CONFIG

    resource_type: str
    name: str
    namespace: str
    patch_type: Annotated[PatchType, BeforeValidator(_lowered)] = "strategic"
    patch_data: Annotated[dict[str, Any] | list[dict[str, Any]], BeforeValidator(_parsed)]


class _Findings(BaseModel):
    model_config = _CONFIG

    reason: Reason
    summary: Annotated[str, Field(max_length=400, description="the fault and the change, in one line")] = ""
    cause: Annotated[Text, Field(description="the root cause, explained")] = ""
    evidence: Annotated[Lines, Field(description="ids that prove it, such as E1")] = ()
    confidence: Annotated[Confidence, BeforeValidator(_lowered)] = "low"
    prevention: Annotated[Lines, Field(description="how to keep it from happening again")] = ()


class Proposal(_Findings, AskedPatch):
    """The arguments of the function `propose_patch`."""


class HandOver(_Findings):
    """The arguments of the function `hand_over`."""

    advice: Annotated[Lines, Field(description="what exactly a person should do")] = ()


class NothingWrong(BaseModel):
    """The arguments of the function `nothing_wrong`."""

    model_config = _CONFIG

    reason: Reason


class Answer(_Findings):
    """One decision as one document: for endpoints that can't call functions."""

    decision: Literal["call_tools", "propose_patch", "hand_over", "nothing_wrong"]
    calls: Annotated[tuple[AskedCall, ...], Field(max_length=MOST_CALLS)] = ()
    patch: AskedPatch | None = None
    advice: Lines = ()

    @model_validator(mode="after")
    def _require_content(self) -> Self:
        if self.decision == "call_tools" and not self.calls:
            raise ValueError("call_tools needs `calls`: which tool, with which arguments")
        if self.decision == PROPOSE and self.patch is None:
            raise ValueError("propose_patch needs `patch`")
        return self


ANSWER_SCHEMA: dict[str, Any] = Answer.model_json_schema()
DECIDING: tuple[Function, ...] = (
    Function(
        PROPOSE,
        "Propose one change that mends the root cause. A person decides on it.",
        Proposal.model_json_schema(),
    ),
    Function(
        HAND_OVER,
        "Hand over to a person: no safe fix can be made by a patch.",
        HandOver.model_json_schema(),
    ),
    Function(
        NOTHING_WRONG, "The target is healthy; there is nothing to fix.", NothingWrong.model_json_schema()
    ),
)


def read_document(document: dict[str, Any]) -> Answer:
    """Return the answer that a document stands for. Raises `Unusable`.

    It is in our form, or in the original agent's (`decision: execute_tool` with a `tool_call`, or `decision:
    resolved`), or one call written out (`name` and `arguments`).
    """
    reason = str(document.get("reason") or "")
    if isinstance(call := document.get("tool_call"), dict):
        return read_call(str(call.get("tool_name") or ""), call.get("parameters") or {}, reason)
    if is_written_call(document):
        return read_call(document["name"], document.get("arguments", document.get("parameters")), reason)
    decision = document.get("decision")
    if decision == "resolved":
        return read_call(NOTHING_WRONG, {"reason": reason}, reason)
    if decision == PROPOSE and "patch" not in document:
        flat = {key: value for key, value in document.items() if key != "decision"}
        return read_call(PROPOSE, flat, reason)
    return validate(Answer, document)


def is_written_call(document: dict[str, Any]) -> bool:
    """Whether a document is a call as chat templates write it."""
    has_arguments = "arguments" in document or "parameters" in document
    return isinstance(document.get("name"), str) and has_arguments and "decision" not in document


def read_call(name: str, arguments: Any, reason: str) -> Answer:
    """Return the answer that one function call stands for; `reason` is what was said beside it.

    Raises `Unusable`.
    """
    if not name.strip():
        raise Unusable("a call needs the name of a tool")
    if isinstance(arguments, str):
        arguments = load(arguments)
    if not isinstance(arguments, dict):
        raise Unusable(f"the arguments of {name[:80]} must be one JSON object")
    reason = reason.strip()[:_MOST_TEXT] or name[:80]
    if name in DECISIONS:
        arguments = {"reason": reason} | arguments
    if name in _PATCHING:
        given = validate(Proposal, arguments)
        patch = AskedPatch.model_validate(given.model_dump(include=set(AskedPatch.model_fields)))
        return Answer(decision=PROPOSE, patch=patch, **given.model_dump(exclude=set(AskedPatch.model_fields)))
    if name == HAND_OVER:
        return Answer(decision=HAND_OVER, **validate(HandOver, arguments).model_dump())
    if name == NOTHING_WRONG:
        return Answer(decision=NOTHING_WRONG, reason=validate(NothingWrong, arguments).reason)
    call = {"tool": name, "arguments": arguments}
    return validate(Answer, {"decision": "call_tools", "reason": reason, "calls": [call]})


def combine(answers: Sequence[Answer]) -> Answer:
    """Return the one answer that several calls at once are: reads together. Raises `Unusable`."""
    if len(answers) == 1:
        return answers[0]
    if any(answer.decision != "call_tools" for answer in answers):
        raise Unusable("several decisions at once: give one")
    calls = tuple(call for answer in answers for call in answer.calls)
    return answers[0].model_copy(update={"calls": calls})


def validate(model: type[Model], document: Any) -> Model:
    """Return a document as a model. Raises `Unusable`, which says what is wrong where."""
    try:
        return model.model_validate(document)
    except ValidationError as error:
        faults = [
            f"{'.'.join(map(str, fault['loc']))[:80] or 'the answer'}: {fault['msg'][:200]}"
            for fault in error.errors(include_input=False, include_url=False)[:5]
        ]
        raise Unusable("; ".join(faults)) from error
