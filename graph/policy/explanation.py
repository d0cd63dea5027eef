"""What the policy says about one call before it is made: for people who write or read a policy."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

from graph.domain.alerts.targets import Target
from graph.domain.changes.dangers import find_dangers
from graph.domain.diagnosis import Grounding, Trace
from graph.domain.proposal import Purpose, Risk
from graph.policy.conditions import Change
from graph.policy.document import Policy
from graph.policy.effects import list_effects
from graph.policy.fields.secret_names import NO_SECRETS, named_anew
from graph.policy.freezes import find_freeze
from graph.policy.hard_limits import EXECUTABLE_TOOL
from graph.policy.reach import refuse_reach
from graph.policy.reads import refuse_read
from graph.policy.rules import are_specified, assess_risk, find_terms, match_auto_approval, raise_risk
from graph.policy.writes import refuse_call, refuse_change, workload_kind
from tools.kubernetes.diff import FieldChange
from tools.kubernetes.patch import APPROVAL_PATH, PatchArguments
from tools.mcp.toolbox import OWN_SERVER, ToolOffer


class Ruling(BaseModel):
    """Who decides about a change, within which time; durations are seconds."""

    model_config = ConfigDict(frozen=True)

    fields: tuple[str, ...]
    grounding: Grounding
    risk: Risk
    raised_by: tuple[str, ...]
    dangers: tuple[str, ...] = ()
    """What a reviewer must not overlook in the change, the gravest first; it sets the least risk."""
    terms: str
    quorum: int
    approvers: tuple[str, ...]
    own_approval: bool
    decide_within: float
    execute_within: float
    window: float
    auto_approved_by: str | None
    stopped_by: str | None
    """What would stop it now: by the policy's freezes alone, or (`service_asked`) by the service's word."""
    service_asked: bool = False
    provided: tuple[str, ...] = ()
    """What must hold too, which only the cluster and the evidence can show."""


class Explanation(BaseModel):
    """What the policy makes of a call. `reason` says why it is refused; a `ruling` is there for a change."""

    model_config = ConfigDict(frozen=True)

    policy: str
    tool: str
    effect: Literal["reads", "changes", "refused"]
    reason: str = ""
    ruling: Ruling | None = None
    by_model: str = ""
    """Of a read: whether a model may make it, too, in words."""


def explain_read(tool: str, arguments: Mapping[str, Any], policy: Policy) -> Explanation:
    """Return whether the diagnosis may make a call, of a server whose own word doesn't count."""
    offer = ToolOffer(OWN_SERVER, tool, "", {}, False, False)
    refusal = refuse_read(offer, arguments, policy)
    if refusal:
        return Explanation(policy=policy.version, tool=tool, effect="refused", reason=refusal)
    by_model = _explain_reach(offer, arguments, policy)
    return Explanation(policy=policy.version, tool=tool, effect="reads", by_model=by_model)


def _explain_reach(offer: ToolOffer, arguments: Mapping[str, Any], policy: Policy) -> str:
    if refuse_reach(offer, arguments, policy, ()) is None:
        return "in every incident"
    namespace = str(arguments.get("namespace") or "default")
    return refuse_reach(offer, arguments, policy, {namespace}) or (
        f"in incidents about namespace {namespace}; the policy's reads_namespaces doesn't open it to others"
    )


def explain_patch(  # noqa: PLR0913 -- what rules look at, by name
    call: PatchArguments,
    policy: Policy,
    *,
    grounding: Grounding,
    risk: Risk,
    purpose: Purpose = "fix",
    diff: Sequence[FieldChange] | None = None,
    traces: Sequence[Trace] | None = None,
) -> Explanation:
    """Return who decides about a patch. Without a dry-run's `diff`, its own text tells what it changes.

    `traces` None: it isn't known where its values come from.
    """
    kind = workload_kind(call.resource_type) or call.resource_type
    changes = tuple(spell_fields(call)) if diff is None else tuple(diff)
    paths = tuple(change.path for change in changes if change.path != APPROVAL_PATH)
    refusal = refuse_call(call, policy) or refuse_change(kind, None, changes, policy)
    if not refusal and not paths:
        refusal = "the patch would change nothing"
    if refusal:
        return Explanation(policy=policy.version, tool=EXECUTABLE_TOOL, effect="refused", reason=refusal)
    target = Target(kind=kind, namespace=call.namespace, name=call.name)
    dangers = find_dangers(_comparable(changes, is_compared=diff is not None), target, target)
    least = raise_risk(risk, dangers)
    ruling = _rule(Change(kind, call.namespace, paths, grounding, purpose, least), policy)
    ruling = ruling.model_copy(update={"dangers": tuple(danger.words for danger in dangers)})
    if traces is not None and not are_specified(traces):
        ruling = ruling.model_copy(update={"auto_approved_by": None})
    provided = tuple(_provisos(changes, ruling, traces, is_compared=diff is not None))
    ruling = ruling.model_copy(update={"provided": provided})
    return Explanation(policy=policy.version, tool=EXECUTABLE_TOOL, effect="changes", ruling=ruling)


def _comparable(changes: Sequence[FieldChange], *, is_compared: bool) -> Sequence[FieldChange]:
    """Return what can be judged: whether an image comes from elsewhere shows only beside what runs now."""
    return changes if is_compared else [one for one in changes if not _is_image(one)]


def _is_image(change: FieldChange) -> bool:
    return change.path.endswith(".image")


def _provisos(
    changes: Sequence[FieldChange], ruling: Ruling, traces: Sequence[Trace] | None, *, is_compared: bool
) -> Iterator[str]:
    for one in named_anew(list_effects(changes), NO_SECRETS):
        yield f"the workload, or a revision of it that ran, names Secret {one.after}"
    if ruling.auto_approved_by and traces is None:
        yield f"for rule {ruling.auto_approved_by}: specifications in the cluster hold each new value"
    if not is_compared and any(map(_is_image, changes)):
        yield "the image is another tag of what runs now; another registry or repository is of high risk"


def _rule(found: Change, policy: Policy) -> Ruling:
    change = found.at_risk(assess_risk(found, policy))
    terms = find_terms(change, policy)
    automatic = match_auto_approval(change, policy)
    frozen = find_freeze(policy.freezes, datetime.now(UTC), change.namespace)
    return Ruling(
        fields=change.fields,
        grounding=change.grounding,
        risk=change.risk,
        raised_by=tuple(rule.name for rule in policy.risk if rule.when.fits(change)),
        terms=terms.name,
        quorum=terms.quorum,
        approvers=terms.approvers or (),
        own_approval=terms.own_approval,
        decide_within=terms.decide_within.total_seconds(),
        execute_within=terms.execute_within.total_seconds(),
        window=policy.verification.window.total_seconds(),
        auto_approved_by=automatic.name if automatic else None,
        stopped_by=f"the policy's freeze {frozen.window.name}" if frozen else None,
    )


def spell_fields(call: PatchArguments) -> Iterator[FieldChange]:
    """Yield what a patch sets by its own text, without the values before."""
    if isinstance(call.patch_data, dict):
        yield from _leaves("", call.patch_data)
        return
    for operation in call.patch_data:
        if operation.get("op") != "test":
            path = _dotted(str(operation.get("path", "")).split("/")[1:])
            if operation.get("op") == "remove":
                yield FieldChange(path=path, removed=True)
            else:
                yield from _leaves(path, operation.get("value"))


def _leaves(path: str, value: Any) -> Iterator[FieldChange]:
    if isinstance(value, dict) and value:
        for key, below in value.items():
            yield from _leaves(_join(path, key), below)
    elif isinstance(value, list) and value and all(isinstance(one, dict) and "name" in one for one in value):
        for one in value:
            named = {key: below for key, below in one.items() if key != "name"}
            yield from _leaves(f"{path}[{one['name']}]", named)
    elif path:
        yield FieldChange(path=path, after=value, removed=value is None)


def _join(path: str, key: str) -> str:
    if "." in key or "/" in key:
        return f'{path}["{key}"]'
    return f"{path}.{key}" if path else key


def _dotted(steps: Sequence[str]) -> str:
    """Return a JSON pointer's steps as a path of a diff; an item is called by its position."""
    path = ""
    for step in (step.replace("~1", "/").replace("~0", "~") for step in steps):
        path = f"{path}[{step}]" if step.isdecimal() or step == "-" else _join(path, step)
    return path
